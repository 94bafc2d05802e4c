// The seat map: a canvas that is drawn only when something changed, above tiles that are drawn once (tiles.js). From afar
// it shows sections, from near seats.
import { AVAILABLE } from "../board.js";
import { contextOf } from "./bitmap.js";
import { Bubble } from "./bubble.js";
import { readTheme } from "./colors.js";
import { control } from "./controls.js";
import { listen } from "./gestures.js";
import { drawPins, pinAt, pinsOf } from "./pins.js";
import { fitsTurned, sceneOf } from "./scene.js";
import { SectionKeys } from "./section_keys.js";

const TILE_BUDGET = 7; // milliseconds of a frame for drawing tiles
const PATCH_BUDGET = 5; // milliseconds of a frame for seats that changed
const COUNT_EVERY = 400; // milliseconds between two counts of the sections while the crowd picks
const PICKABLE = { touch: 9, mouse: 3.5 }; // CSS pixels of seat radius from which a tap picks, and does not zoom
const COMFORTABLE = 13; // CSS pixels of seat radius that a tap zooms to
const SLACK = { touch: 12, mouse: 3 }; // CSS pixels beside a seat that still count as the seat
const FAR = 30; // CSS pixels beside a section that still count as the section
const SETTLED = 130; // milliseconds without zooming until tiles of the new scale are drawn
const COMPACT = 640; // CSS pixels of width
// CSS pixels that other things take; below, the basket's sheet has round corners.
const WIDE = { top: 16, right: 56, bottom: 56, left: 56 };
const NARROW = { top: 0, right: 0, bottom: 64, left: 0 };
const BARE = 18;

/** @typedef {"touch" | "mouse"} Pointer */
/** @typedef {ReadonlySet<number>} Seats */
/** @typedef {import("./sections.js").Section} Section */
/**
 * @typedef {object} MapWords
 * @property {string} label
 * @property {string} sections
 * @property {string} zoomIn
 * @property {string} zoomOut
 * @property {string} whole
 * @property {import("./section_labels.js").Words} section
 * @property {(section: Section) => string} said a section's name for who does not see it
 * @property {(ordinal: number) => string[]} hint lines
 */

export class SeatMap {
  /**
   * `onPick(ordinal)` when a seat is tapped, `onOpen(zone)` when a section is chosen by keyboard.
   * @param {object} parts
   * @param {Sale.Plan} parts.plan
   * @param {import("../board.js").Board} parts.board
   * @param {MapWords} parts.words
   * @param {(ordinal: number) => void} parts.onPick
   * @param {(zone: Sale.Zone) => void} parts.onOpen
   */
  constructor({ plan, board, words, onPick, onOpen }) {
    this.upright = plan;
    this.board = board;
    this.words = words;
    this.onPick = onPick;
    /** @type {{board: import("../board.js").Board, own: Seats, asked: Seats, filter: Seats | null}} */
    this.looks = { board, own: new Set(), asked: new Set(), filter: null };
    this.scene = this.#sceneOf(plan);
    /** @type {Set<number>} */
    this.waiting = new Set(); // ordinals to be drawn anew
    this.zoomedAt = 0;
    this.frame = 0;
    this.counting = 0;
    this.placed = ""; // the look that the sections' buttons lie for
    /** @type {import("./pins.js").Pin[]} */
    this.pins = [];
    /** @type {import("./colors.js").Theme | null} */
    this.theme = null;
    this.ratio = 1; // device pixels a CSS pixel
    this.width = 0; // for which it was decided whether to turn the hall
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.canvas = document.createElement("canvas");
    this.ctx = contextOf(this.canvas);
    this.bubble = new Bubble(() => this.redraw());
    this.fitButton = control("fit", words.whole, () => this.#fit());
    this.keys = new SectionKeys({
      label: words.sections,
      onOpen: (zone) => onOpen(zone),
      onFocus: (section) => this.#reveal(section),
    });
    this.element = this.#build();
  }

  get plan() {
    return this.scene.plan;
  }

  get viewport() {
    return this.scene.viewport;
  }

  get painter() {
    return this.scene.painter;
  }

  get tiles() {
    return this.scene.tiles;
  }

  get overlay() {
    return this.scene.overlay;
  }

  get still() {
    return this.motion.matches;
  }

  /** Whether sections are shown now, and not seats. */
  get far() {
    return this.scene.sections.drawnAt(this.viewport.scale);
  }

  /** Call when the element is in the page and visible. */
  show() {
    this.#measure();
    if (!this.theme) this.#retheme();
    this.redraw();
  }

  /**
   * Seats whose state on the board changed; null when all may have.
   * @param {number[] | null} ordinals
   */
  changed(ordinals) {
    if (ordinals === null) {
      this.#count();
      this.waiting.clear();
      if (this.theme) this.tiles.reset();
    } else {
      const now = performance.now();
      if (this.bubble.said && ordinals.includes(this.bubble.said.ordinal)) this.bubble.write();
      for (const ordinal of ordinals) {
        this.waiting.add(ordinal);
        if (!document.hidden && !this.far)
          this.overlay.pulse(ordinal, this.board.states[ordinal] === AVAILABLE ? "free" : "gone", now);
      }
      this.counting ||= setTimeout(() => this.#count(), COUNT_EVERY);
    }
    this.redraw();
  }

  /**
   * The visitor's own seats and those a request is under way for.
   * @param {Seats} own
   * @param {Seats} asked
   */
  setMine(own, asked) {
    this.#differing(this.looks.own, own);
    this.#differing(this.looks.asked, asked);
    Object.assign(this.looks, { own, asked });
    this.bubble.write();
    if (this.waiting.size) this.redraw();
  }

  /**
   * Seats that are in one of both only are drawn anew.
   * @param {Seats} old
   * @param {Seats} fresh
   */
  #differing(old, fresh) {
    for (const ordinal of old) if (!fresh.has(ordinal)) this.waiting.add(ordinal);
    for (const ordinal of fresh) if (!old.has(ordinal)) this.waiting.add(ordinal);
  }

  /**
   * Shows only the free seats of these categories (indices) in full; null for all.
   * @param {Seats | null} categories
   */
  setFilter(categories) {
    this.looks.filter = categories;
    this.#count();
    if (this.theme) this.tiles.reset();
    this.redraw();
  }

  /**
   * Says at the seat why it could not be had.
   * @param {number} ordinal
   * @param {string} text
   */
  refuse(ordinal, text) {
    this.overlay.pulse(ordinal, "bad", performance.now());
    this.bubble.say(ordinal, () => [text], "refusal", 3200);
  }

  /** @param {number} ordinal */
  showSeat(ordinal) {
    this.viewport.showSeat(this.plan.x[ordinal], this.plan.y[ordinal], performance.now(), this.still);
    this.#zooming();
  }

  /**
   * Shows a section whole, or, where its seats would be too small to pick, as much of it around (x, y) as can be used.
   * @param {Sale.Zone} zone
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  showZone(zone, x, y, kind) {
    const { viewport } = this;
    const whole = viewport.scaleOf(zone.box) * viewport.seatRadius;
    if (whole < PICKABLE[kind]) this.#softly(COMFORTABLE / viewport.seatPixels, x, y);
    else viewport.showBox(zone.box, performance.now(), this.still);
    this.#zooming();
  }

  redraw() {
    if (!this.frame && this.theme && this.element.isConnected)
      this.frame = requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {Sale.Plan} plan */
  #sceneOf(plan) {
    return sceneOf(plan, this.looks, (x, y) => this.#goTo(x, y));
  }

  /**
   * @param {number} x plan units
   * @param {number} y
   */
  #goTo(x, y) {
    const { viewport } = this;
    const at = viewport.toScreen(x, y);
    viewport.pan(viewport.width / 2 - at.x, viewport.height / 2 - at.y);
    this.redraw();
  }

  /** The section that the keyboard has come to is in sight. @param {Section} section */
  #reveal({ at }) {
    const { viewport } = this;
    const { x, y } = viewport.toScreen(at.x, at.y);
    if (x < 0 || y < 0 || x > viewport.width || y > viewport.height) this.#goTo(at.x, at.y);
  }

  #count() {
    clearTimeout(this.counting);
    this.counting = 0;
    const { sections } = this.scene;
    const boxes = sections.count(this.board.states, this.looks.filter);
    this.scene.labels.counted();
    if (this.theme) for (const box of boxes) this.tiles.patchSection(box);
    if (sections.several) this.keys.name(sections.list, this.words.said);
    this.redraw();
  }

  #build() {
    /** @type {HTMLElement & {seatMap?: SeatMap}} */
    const element = document.createElement("div");
    element.className = "map";
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", this.words.label);
    this.canvas.className = "map-canvas";
    this.canvas.setAttribute("aria-hidden", "true");
    const controls = document.createElement("div");
    controls.className = "map-controls";
    // Reachable from the element, as with any custom control: the browser tests find seats on the canvas by it.
    element.seatMap = this;
    /** @param {number} factor */
    const zoomed = (factor) => () => this.#softly(factor, this.viewport.width / 2, this.viewport.height / 2);
    controls.append(
      control("plus", this.words.zoomIn, zoomed(1.8)),
      control("minus", this.words.zoomOut, zoomed(1 / 1.8)),
      this.fitButton,
    );
    const sections = this.scene.sections.several ? [this.keys.element] : [];
    element.append(this.canvas, ...sections, this.scene.minimap.element, controls, this.bubble.element);
    listen(this.canvas, this.#actions());
    element.addEventListener("keydown", (event) => {
      // Keys reach the canvas' listener as if it had the focus, which its frame has.
      if (event.target === element) this.canvas.dispatchEvent(new KeyboardEvent("keydown", event));
    });
    new ResizeObserver(() => this.#measure()).observe(element);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
      matchMedia(query).addEventListener("change", () => this.theme && this.#retheme());
    document.fonts?.ready.then(() => this.theme && this.#retheme());
    return element;
  }

  /** @returns {import("./gestures.js").Meant} */
  #actions() {
    return {
      isStill: () => this.still,
      pan: (dx, dy) => {
        this.viewport.pan(dx, dy);
        this.redraw();
      },
      zoom: (factor, x, y) => {
        this.viewport.zoom(factor, x, y);
        this.#zooming();
      },
      zoomSoftly: (factor, x, y) => this.#softly(factor, x, y),
      fit: () => this.#fit(),
      tap: (x, y, touch) => this.#tap(x, y, touch ? "touch" : "mouse"),
      hover: (x, y) => this.#hover(x, y),
      leave: () => this.#unhover(),
    };
  }

  #fit() {
    this.viewport.fit(performance.now(), this.still);
    this.#zooming();
  }

  /**
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  #softly(factor, x, y) {
    this.viewport.zoomSoftly(factor, x, y, performance.now(), this.still);
    this.#zooming();
  }

  /**
   * True when it meant something.
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  #tap(x, y, kind) {
    const { viewport } = this;
    const pin = pinAt(this.pins, x, y);
    if (pin) {
      this.showSeat(pin.seats[0]);
      return true;
    }
    if (this.far) {
      const zone = this.#zoneUnder(x, y);
      if (zone) this.showZone(zone, x, y, kind);
      return zone !== null;
    }
    const at = viewport.toPlan(x, y);
    const seat = this.scene.index.nearest(at.x, at.y, SLACK[kind] / viewport.scale);
    if (seat < 0) return false;
    if (viewport.seatPixels >= PICKABLE[kind]) {
      if (kind === "touch") this.bubble.say(seat, () => this.words.hint(seat), "hint", 2600);
      this.onPick(seat);
    } else this.#softly(COMFORTABLE / viewport.seatPixels, x, y);
    return true;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Sale.Zone | null}
   */
  #zoneUnder(x, y) {
    const at = this.viewport.toPlan(x, y);
    const near = this.scene.index.nearest(at.x, at.y, FAR / this.viewport.scale);
    return near < 0 ? null : (this.plan.zoneByIndex.get(this.plan.zoneOf[near]) ?? null);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #hover(x, y) {
    const { viewport, overlay, bubble } = this;
    if (this.far) {
      this.#unhover();
      this.canvas.dataset.over = this.#zoneUnder(x, y) ? "seat" : "";
      return;
    }
    const at = viewport.toPlan(x, y);
    const seat = this.scene.index.nearest(at.x, at.y, 2 / viewport.scale);
    if (seat < 0) {
      this.#unhover();
      return;
    }
    this.canvas.dataset.over = "seat";
    if (seat === overlay.hovered) return;
    overlay.hovered = seat;
    if (bubble.kind !== "refusal") bubble.say(seat, () => this.words.hint(seat), "hint", Infinity);
    this.redraw();
  }

  #unhover() {
    const { overlay, bubble } = this;
    this.canvas.dataset.over = "";
    if (overlay.hovered < 0) return;
    overlay.hovered = -1;
    if (bubble.kind === "hint") bubble.end();
    this.redraw();
  }

  #zooming() {
    this.zoomedAt = performance.now();
    this.redraw();
  }

  #measure() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.ratio = Math.min(3, devicePixelRatio || 1);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    // A sheet that opens makes it lower: the hall is fitted again, but not turned under the visitor's fingers.
    if (width !== this.width) this.#turn(width, height);
    this.width = width;
    this.#fitInto(width, height);
    if (this.theme && this.painter.ratio !== this.ratio) this.#retheme();
    this.redraw();
  }

  /**
   * The controls lie at the right, and below single seats the key of their marks; on a phone the hall goes below both.
   * @param {number} width
   * @param {number} height
   */
  #fitInto(width, height) {
    const { viewport, scene } = this;
    const inset = width < COMPACT ? { ...NARROW } : { ...WIDE };
    viewport.inset = inset;
    viewport.resize(width, height);
    if (!scene.sections.drawnAt(viewport.fitScale)) return;
    inset.bottom = BARE;
    viewport.refit();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #turn(width, height) {
    const turned = fitsTurned(this.upright.box, width, height);
    if (turned === this.plan.onItsSide) return;
    const { element } = this.scene.minimap;
    this.scene = this.#sceneOf(turned ? this.upright.turned() : this.upright);
    element.replaceWith(this.scene.minimap.element);
    this.waiting.clear();
    this.#count();
    if (this.theme) this.#retheme();
  }

  #retheme() {
    this.theme = readTheme(this.element, this.plan.categories);
    this.painter.setTheme(this.theme, this.ratio);
    this.scene.labels.reset();
    this.tiles.reset();
    this.redraw();
  }

  /** @param {number} now */
  #draw(now) {
    this.frame = 0;
    const { ctx, ratio, theme } = this;
    const { plan, viewport, tiles, labels, minimap } = this.scene;
    if (!theme) return;
    const moving = viewport.step(now);
    if (moving) this.zoomedAt = now;
    const more = this.#patch();
    const k = viewport.scale * ratio;
    const settled = !moving && now - this.zoomedAt > SETTLED;
    const far = tiles.scale === 0 || k / tiles.scale > 1.9 || k / tiles.scale < 0.55;
    if (settled || far) tiles.setScale(k);
    // Whole device pixels while nothing zooms: tiles are copied, not resampled.
    const x = settled ? Math.round(viewport.x * ratio) : viewport.x * ratio;
    const y = settled ? Math.round(viewport.y * ratio) : viewport.y * ratio;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const missing = tiles.draw(ctx, k, x, y, this.canvas.width, this.canvas.height, TILE_BUDGET);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const unsaid = this.far && settled && labels.lay(ctx, viewport.scale, ratio, theme, this.words.section);
    if (this.far) labels.draw(ctx, viewport, ratio);
    this.overlay.draw(ctx, viewport, theme, now, this.still);
    this.pins = pinsOf(plan, this.looks.own, viewport);
    drawPins(ctx, this.pins, theme);
    this.bubble.place(now, viewport, plan);
    const close = viewport.scale > viewport.fitScale * 1.3;
    minimap.element.hidden = !close;
    this.fitButton.disabled = viewport.fitted && !moving;
    if (close && tiles.overview) minimap.draw(tiles.overview, viewport, theme, ratio);
    this.element.toggleAttribute("data-far", this.far);
    if (settled) this.#placeKeys();
    if (moving || more || this.overlay.moving || missing || unsaid || !settled) this.redraw();
  }

  #placeKeys() {
    const { x, y, scale } = this.viewport;
    const look = `${x}/${y}/${scale}`;
    if (this.placed === look || !this.scene.sections.several) return;
    this.placed = look;
    this.keys.place(this.viewport);
  }

  #patch() {
    const end = performance.now() + PATCH_BUDGET;
    for (const ordinal of this.waiting) {
      this.tiles.patch([ordinal]);
      this.waiting.delete(ordinal);
      if (performance.now() > end) break;
    }
    return this.waiting.size > 0;
  }
}

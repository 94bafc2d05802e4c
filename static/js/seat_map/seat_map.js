// The seat map: a canvas that is drawn only when something changed, above tiles that are drawn once (tiles.js). From afar
// it shows sections, from near seats.
import { AVAILABLE } from "../board.js";
import { contextOf } from "./bitmap.js";
import { Bubble } from "./bubble.js";
import { readTheme } from "./colors.js";
import { control } from "./controls.js";
import { drawFrame } from "./frame.js";
import { listen } from "./gestures.js";
import { Pointing } from "./pointing.js";
import { Rest } from "./rest.js";
import { roomFor, sideBySide } from "./room.js";
import { fitsTurned, sceneOf } from "./scene.js";
import { SectionKeys } from "./section_keys.js";

const COUNT_EVERY = 400; // milliseconds between two counts of the sections while the crowd picks
const SPEAK_BUDGET = 5; // milliseconds in one go for naming sections
const RESERVE_EVERY = 50; // milliseconds
const NOWHERE = { x: NaN, y: NaN, scale: NaN };

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
   * `onPick(ordinal)` when a seat is tapped, `onOpen(zone)` when a section is chosen by keyboard, `onZoom(zone)` when one
   * was tapped, by index; null: the whole hall is wanted.
   * @param {object} parts
   * @param {Sale.Plan} parts.plan
   * @param {import("../board.js").Board} parts.board
   * @param {MapWords} parts.words
   * @param {(ordinal: number) => void} parts.onPick
   * @param {(zone: Sale.Zone) => void} parts.onOpen
   * @param {(zone: number | null) => void} [parts.onZoom]
   */
  constructor({ plan, board, words, onPick, onOpen, onZoom = () => {} }) {
    this.upright = plan;
    this.board = board;
    this.words = words;
    this.onPick = onPick;
    this.onZoom = onZoom;
    /** @type {{board: import("../board.js").Board, own: Seats, asked: Seats, filter: Seats | null}} */
    this.looks = { board, own: new Set(), asked: new Set(), filter: null };
    // As it will stand most likely: to turn it when it is measured would be to make all of it twice.
    this.scene = this.#sceneOf(fitsTurned(plan.box, innerWidth, innerHeight) ? plan.turned() : plan);
    /** @type {Set<number>} */
    this.waiting = new Set(); // ordinals to be drawn anew
    this.zoomedAt = 0;
    this.row = false; // the controls stand side by side
    this.frame = 0;
    this.stale = true; // all of the tiles are
    this.rest = new Rest();
    /** @type {Set<Geometry.Box>} */
    this.recounted = new Set(); // sections that look different, to be drawn anew
    /** @type {(() => void) | null} */
    this.counting = null; // calls the next count off
    this.speaking = false;
    this.looked = NOWHERE; // the look that was drawn last
    this.placed = NOWHERE; // the look that the sections' buttons lie for
    this.reserving = false;
    /** @type {import("./pins.js").Pin[]} */
    this.pins = [];
    /** @type {import("./colors.js").Theme | null} */
    this.theme = null;
    this.ratio = 1; // device pixels a CSS pixel
    this.width = 0; // for which it was decided whether to turn the hall
    const motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.still = motion.matches; // asked in each frame, where a query would have the page's styles looked at
    motion.addEventListener("change", () => (this.still = motion.matches));
    this.canvas = document.createElement("canvas");
    this.ctx = contextOf(this.canvas);
    this.bubble = new Bubble(() => this.redraw());
    this.fitButton = control("fit", words.whole, () => this.fit());
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
      this.stale = true;
    } else {
      const now = performance.now();
      if (this.bubble.said && ordinals.includes(this.bubble.said.ordinal)) this.bubble.write();
      for (const ordinal of ordinals) {
        this.waiting.add(ordinal);
        if (!document.hidden && !this.far)
          this.overlay.pulse(ordinal, this.board.states[ordinal] === AVAILABLE ? "free" : "gone", now);
      }
      this.counting ??= this.rest.later(() => this.#count(), COUNT_EVERY);
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
    if (categories === this.looks.filter) return;
    this.looks.filter = categories;
    this.#count();
    this.stale = true;
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
    this.zooming();
  }

  /**
   * Shows a section whole.
   * @param {Sale.Zone} zone
   */
  showZone(zone) {
    this.viewport.showBox(zone.box, performance.now(), this.still);
    this.zooming();
  }

  redraw() {
    if (!this.frame && this.theme && this.element.isConnected)
      this.frame = requestAnimationFrame((now) => {
        this.frame = 0;
        if (this.theme && drawFrame(this, this.theme, now)) this.redraw();
      });
  }

  /** Names the sections for who does not see them: between pictures and movements, and a little at a time. */
  speak() {
    if (this.speaking) return;
    this.speaking = true;
    this.rest.later(() => {
      this.speaking = false;
      if (this.keys.name(this.words.said, SPEAK_BUDGET)) this.speak();
      else this.redraw();
    });
  }

  /** Makes bitmaps ahead, one at a time: no frame of a pan has to. */
  reserve() {
    if (this.reserving) return;
    this.reserving = true;
    this.rest.later(() => {
      this.reserving = false;
      if (this.tiles.reserve()) this.reserve();
    }, RESERVE_EVERY);
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
    this.counting?.();
    this.counting = null;
    const { sections } = this.scene;
    const boxes = sections.count(this.board.states, this.looks.filter);
    this.scene.labels.counted();
    for (const box of boxes) this.recounted.add(box);
    this.keys.counted(sections.list);
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
    const zoomed = (factor) => () => this.zoomSoftly(factor, this.viewport.width / 2, this.viewport.height / 2);
    controls.append(
      control("plus", this.words.zoomIn, zoomed(1.8)),
      control("minus", this.words.zoomOut, zoomed(1 / 1.8)),
      this.fitButton,
    );
    const sections = this.scene.sections.several ? [this.keys.element] : [];
    element.append(this.canvas, ...sections, this.scene.minimap.element, controls, this.bubble.element);
    listen(this.canvas, new Pointing(this, this.onPick).meant);
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

  /** As the visitor asks. */
  fit() {
    this.goToSection(null);
    this.onZoom(null);
  }

  /**
   * A section whole; null: the hall.
   * @param {number | null} zone
   */
  goToSection(zone) {
    const wanted = zone === null ? undefined : this.plan.zoneByIndex.get(zone);
    if (wanted) this.showZone(wanted);
    else this.viewport.fit(performance.now(), this.still);
    this.zooming();
  }

  /**
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoomSoftly(factor, x, y) {
    this.viewport.zoomSoftly(factor, x, y, performance.now(), this.still);
    this.zooming();
  }

  zooming() {
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
    const turned = width !== this.width;
    if (turned) this.#turn(width, height);
    this.width = width;
    // The list that opens when the last seats go makes it lower too, and goes when some come back: nobody has pressed
    // anything, and the controls stay as they stand.
    if (!this.element.closest("[data-list]")) this.row = sideBySide(width, height);
    else if (turned) this.row = sideBySide(width, innerHeight);
    else this.row ||= height < width && sideBySide(width, height);
    this.#fitInto(width, height);
    if (this.theme && this.painter.ratio !== this.ratio) this.#retheme();
    this.redraw();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #fitInto(width, height) {
    const { viewport, scene, plan } = this;
    this.element.toggleAttribute("data-row", this.row);
    viewport.resize(width, height);
    viewport.inset = roomFor(
      width,
      height,
      this.row,
      (inset) => {
        viewport.inset = inset;
        return scene.sections.drawnAt(viewport.fitScale);
      },
      (inset, right, top) => {
        viewport.inset = inset;
        const { x, y, scale } = viewport.whole;
        return plan.zones.some(({ box }) => box.maxX * scale + x > width - right && box.minY * scale + y < top);
      },
    );
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
    this.recounted.clear();
    this.#count();
    if (this.theme) this.#retheme();
  }

  #retheme() {
    this.theme = readTheme(this.element, this.plan.categories);
    this.painter.setTheme(this.theme, this.ratio);
    this.scene.labels.reset();
    this.stale = true;
    this.redraw();
  }
}

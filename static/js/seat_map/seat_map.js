// The seat map: a canvas that is drawn only when something changed, above tiles that are drawn once (tiles.js).
import { AVAILABLE } from "../board.js";
import { contextOf } from "./bitmap.js";
import { readTheme } from "./colors.js";
import { listen } from "./gestures.js";
import { Minimap } from "./minimap.js";
import { Overlay } from "./overlay.js";
import { Painter } from "./painter.js";
import { SeatIndex } from "./seat_index.js";
import { Tiles } from "./tiles.js";
import { Viewport } from "./viewport.js";

const TILE_BUDGET = 7; // milliseconds of a frame for drawing tiles
const PATCH_BUDGET = 5; // milliseconds of a frame for seats that changed
/** @typedef {"touch" | "mouse"} Pointer */
/** @typedef {ReadonlySet<number>} Seats */
/**
 * @typedef {object} MapWords
 * @property {string} label
 * @property {string} zoomIn
 * @property {string} zoomOut
 * @property {string} whole
 * @property {import("./overlay.js").Words} zone
 * @property {(ordinal: number) => string[]} hint lines
 */
/** @typedef {{ordinal: number, words: () => string[], kind: "hint" | "refusal", until: number}} Bubble */

const PICKABLE = { touch: 7, mouse: 3.5 }; // CSS pixels of seat radius from which a tap picks, and does not zoom
const SLACK = { touch: 12, mouse: 3 }; // CSS pixels beside a seat that still count as the seat
const FAR = 30; // CSS pixels beside an area that still count as the area, seen from far away
const SETTLED = 130; // milliseconds without zooming until tiles of the new scale are drawn

export class SeatMap {
  /**
   * `onPick(ordinal)` when a seat is tapped.
   * @param {object} parts
   * @param {Sale.Plan} parts.plan
   * @param {import("../board.js").Board} parts.board
   * @param {MapWords} parts.words
   * @param {(ordinal: number) => void} parts.onPick
   */
  constructor({ plan, board, words, onPick }) {
    this.plan = plan;
    this.board = board;
    this.words = words;
    this.onPick = onPick;
    /** @type {{board: import("../board.js").Board, own: Seats, asked: Seats, filter: Seats | null}} */
    this.looks = { board, own: new Set(), asked: new Set(), filter: null };
    this.index = new SeatIndex(plan);
    this.painter = new Painter(plan, this.index, this.looks);
    this.tiles = new Tiles(this.painter, plan.box);
    this.overlay = new Overlay(plan);
    this.viewport = new Viewport(plan.box, median(plan.r));
    /** @type {Set<number>} */
    this.waiting = new Set(); // ordinals to be drawn anew
    this.zoomedAt = 0;
    this.frame = 0;
    /** @type {import("./colors.js").Theme | null} */
    this.theme = null;
    /** @type {Bubble | null} */
    this.bubble = null;
    this.ratio = 1; // device pixels a CSS pixel
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.canvas = document.createElement("canvas");
    this.ctx = contextOf(this.canvas);
    this.hint = document.createElement("div");
    this.minimap = new Minimap(plan, innerWidth < 640 ? 92 : 132, (x, y) => this.#goTo(x, y));
    this.fitButton = control("fit", words.whole, () => this.#fit());
    this.element = this.#build();
  }

  get still() {
    return this.motion.matches;
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
    this.overlay.count(this.board.states, this.looks.filter);
    if (ordinals === null) {
      this.waiting.clear();
      if (this.theme) this.tiles.reset();
    } else {
      const now = performance.now();
      if (this.bubble && ordinals.includes(this.bubble.ordinal)) this.#write();
      for (const ordinal of ordinals) {
        this.waiting.add(ordinal);
        if (!document.hidden)
          this.overlay.pulse(ordinal, this.board.states[ordinal] === AVAILABLE ? "free" : "gone", now);
      }
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
    this.#write();
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
    this.overlay.count(this.board.states, categories);
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
    this.#bubble(ordinal, () => [text], "refusal", 3200);
  }

  /** @param {number} ordinal */
  showSeat(ordinal) {
    this.viewport.showSeat(this.plan.x[ordinal], this.plan.y[ordinal], performance.now(), this.still);
    this.#zooming();
  }

  /**
   * Shows an area whole, or, where its seats would be too small to pick, as much of it around (x, y) as can be used.
   * @param {Sale.Zone} zone
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  showZone(zone, x, y, kind) {
    const { viewport } = this;
    const whole = viewport.scaleOf(zone.box) * viewport.seatRadius;
    if (whole < PICKABLE[kind]) this.#softly((PICKABLE[kind] * 1.25) / viewport.seatPixels, x, y);
    else viewport.showBox(zone.box, performance.now(), this.still);
    this.#zooming();
  }

  redraw() {
    if (!this.frame && this.theme && this.element.isConnected)
      this.frame = requestAnimationFrame((now) => this.#draw(now));
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

  #build() {
    /** @type {HTMLElement & {seatMap?: SeatMap}} */
    const element = document.createElement("div");
    element.className = "map";
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", this.words.label);
    this.canvas.className = "map-canvas";
    this.canvas.setAttribute("aria-hidden", "true");
    this.hint.className = "map-hint";
    this.hint.hidden = true;
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
    element.append(this.canvas, this.minimap.element, controls, this.hint);
    listen(this.canvas, this.#actions());
    element.addEventListener("keydown", (event) => {
      // Keys reach the canvas' listener as if it had the focus, which its frame has.
      if (event.target === element) this.canvas.dispatchEvent(new KeyboardEvent("keydown", event));
    });
    new ResizeObserver(() => this.#measure()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.theme && this.#retheme());
    document.fonts?.ready.then(() => this.theme && this.#retheme());
    return element;
  }

  /** @returns {import("./gestures.js").Meant} */
  #actions() {
    const { viewport } = this;
    return {
      isStill: () => this.still,
      pan: (dx, dy) => {
        viewport.pan(dx, dy);
        this.redraw();
      },
      zoom: (factor, x, y) => {
        viewport.zoom(factor, x, y);
        this.#zooming();
      },
      zoomSoftly: (factor, x, y) => this.#softly(factor, x, y),
      fit: () => this.#fit(),
      tap: (x, y, touch) => this.#tap(x, y, touch ? "touch" : "mouse"),
      hover: (x, y) => this.#hover(this.#seatUnder(x, y)),
      leave: () => this.#hover(-1),
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
    const { viewport, overlay } = this;
    const at = viewport.toPlan(x, y);
    const seat = this.index.nearest(at.x, at.y, SLACK[kind] / viewport.scale);
    if (seat >= 0 && viewport.seatPixels >= PICKABLE[kind] && !overlay.namesZones(viewport)) {
      if (kind === "touch") this.#bubble(seat, () => this.words.hint(seat), "hint", 2600);
      this.onPick(seat);
      return true;
    }
    if (overlay.namesZones(viewport)) {
      const near = this.index.nearest(at.x, at.y, FAR / viewport.scale);
      const zone = overlay.zoneAt(x, y) ?? (near >= 0 ? this.plan.zoneByIndex.get(this.plan.zoneOf[near]) : null);
      if (zone) {
        this.showZone(zone, x, y, kind);
        return true;
      }
    }
    if (seat >= 0) {
      this.#softly(13 / viewport.seatPixels, x, y);
      return true;
    }
    return false;
  }

  /**
   * -1 when there is none.
   * @param {number} x
   * @param {number} y
   */
  #seatUnder(x, y) {
    const { viewport } = this;
    if (this.overlay.namesZones(viewport)) return -1;
    const at = viewport.toPlan(x, y);
    return this.index.nearest(at.x, at.y, 2 / viewport.scale);
  }

  /** @param {number} seat the one under the mouse; -1: none */
  #hover(seat) {
    const { overlay } = this;
    this.canvas.dataset.over = seat >= 0 ? "seat" : "";
    if (seat === overlay.hovered) return;
    overlay.hovered = seat;
    if (seat >= 0 && this.bubble?.kind !== "refusal") this.#bubble(seat, () => this.words.hint(seat), "hint", Infinity);
    else if (seat < 0 && this.bubble?.kind === "hint") this.#unbubble();
    this.redraw();
  }

  /**
   * @param {number} ordinal
   * @param {() => string[]} words
   * @param {Bubble["kind"]} kind
   * @param {number} length milliseconds
   */
  #bubble(ordinal, words, kind, length) {
    this.bubble = { ordinal, words, kind, until: performance.now() + length };
    this.#write();
    this.redraw();
    if (Number.isFinite(length)) setTimeout(() => this.redraw(), length + 20);
  }

  // What is said at a seat follows the seat: free becomes yours while the hint is still there.
  #write() {
    if (!this.bubble) return;
    this.hint.replaceChildren(
      ...this.bubble.words().map((line) => {
        const row = document.createElement("span");
        row.textContent = line;
        return row;
      }),
    );
    this.hint.dataset.kind = this.bubble.kind;
    this.hint.hidden = false;
  }

  #unbubble() {
    this.bubble = null;
    this.hint.hidden = true;
  }

  /** @param {number} now */
  #placeBubble(now) {
    const { bubble, hint, viewport, plan } = this;
    if (!bubble) return;
    if (now > bubble.until) {
      this.#unbubble();
      return;
    }
    const { x, y } = viewport.toScreen(plan.x[bubble.ordinal], plan.y[bubble.ordinal]);
    const gap = Math.max(4, plan.r[bubble.ordinal] * viewport.scale) + 8;
    const half = hint.offsetWidth / 2;
    const left = Math.min(viewport.width - half - 8, Math.max(half + 8, x));
    const above = y - gap - hint.offsetHeight > 4;
    const top = above ? y - gap - hint.offsetHeight : y + gap;
    hint.style.transform = `translate(${Math.round(left - half)}px, ${Math.round(top)}px)`;
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
    const compact = width < 640;
    // The key of marks lies at the bottom, the controls at the right.
    this.viewport.inset = compact
      ? { top: 8, right: 0, bottom: 76, left: 0 }
      : { top: 16, right: 56, bottom: 56, left: 56 };
    this.viewport.resize(width, height);
    if (this.theme && this.painter.ratio !== this.ratio) this.#retheme();
    this.redraw();
  }

  #retheme() {
    this.theme = readTheme(this.element, this.plan.categories);
    this.painter.setTheme(this.theme, this.ratio);
    this.overlay.count(this.board.states, this.looks.filter);
    this.tiles.reset();
    this.redraw();
  }

  /** @param {number} now */
  #draw(now) {
    this.frame = 0;
    const { viewport, ctx, ratio, theme, tiles } = this;
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
    this.overlay.draw(ctx, viewport, theme, now, this.still, this.words.zone);
    this.#placeBubble(now);
    const close = viewport.scale > viewport.fitScale * 1.3;
    this.minimap.element.hidden = !close;
    this.fitButton.disabled = viewport.fitted && !moving;
    if (close && tiles.overview) this.minimap.draw(tiles.overview, viewport, theme, ratio);
    if (moving || more || this.overlay.moving || missing || !settled) this.redraw();
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

/**
 * @param {string} icon
 * @param {string} label
 * @param {() => void} onClick
 */
function control(icon, label, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `map-control icon-${icon}`;
  button.setAttribute("aria-label", label);
  button.title = label;
  button.addEventListener("click", onClick);
  return button;
}

/** @param {Float32Array} values */
function median(values) {
  const sorted = Float32Array.from(values).sort();
  return sorted[sorted.length >> 1] || 10;
}

// Where the visitor looks: plan units <-> CSS pixels, with zoom limits, fitting, and motion between two looks.

const MARGIN = 12; // CSS pixels kept around a fitted box
const LARGEST_SEAT = 34; // CSS pixels: a seat's radius at the deepest zoom
const KEEP = 80; // CSS pixels of the plan that always stay in sight

export class Viewport {
  /**
   * Plan units.
   * @param {Geometry.Box} box of everything drawn
   * @param {number} seatRadius a typical seat's radius
   */
  constructor(box, seatRadius) {
    this.box = box;
    this.seatRadius = seatRadius;
    this.width = 1;
    this.height = 1;
    this.scale = 1;
    this.x = 0; // CSS pixels from the canvas' left to the plan's origin
    this.y = 0;
    /** @type {{from: Geometry.View, to: Geometry.View, start: number, length: number} | null} */
    this.motion = null;
    this.fitted = true;
    // Space that something else covers, so that what is fitted lies beside it.
    this.inset = { top: 0, right: 0, bottom: 0, left: 0 };
  }

  get fitScale() {
    return this.scaleOf(this.box);
  }

  /** How the whole is shown when it is fitted. */
  get whole() {
    return this.#lookAt(this.box);
  }

  get largest() {
    return Math.max(this.fitScale * 1.5, LARGEST_SEAT / this.seatRadius);
  }

  /** A seat's radius in CSS pixels at the present zoom. */
  get seatPixels() {
    return this.seatRadius * this.scale;
  }

  /**
   * False when nothing changed.
   * @param {number} width CSS pixels
   * @param {number} height
   */
  resize(width, height) {
    if (width === this.width && height === this.height) {
      this.refit();
      return false;
    }
    const centre = this.toPlan(this.width / 2, this.height / 2);
    this.width = width;
    this.height = height;
    if (this.fitted) this.#apply(this.#lookAt(this.box));
    else
      this.#apply({ scale: this.scale, x: width / 2 - centre.x * this.scale, y: height / 2 - centre.y * this.scale });
    return true;
  }

  /** What is fitted is fitted again: what covers it has changed. */
  refit() {
    if (this.fitted && !this.motion) this.#apply(this.#lookAt(this.box));
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Geometry.Point}
   */
  toPlan(x, y) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Geometry.Point}
   */
  toScreen(x, y) {
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }

  /**
   * What is in sight, plan units.
   * @returns {Geometry.Box}
   */
  get sight() {
    const a = this.toPlan(0, 0);
    const b = this.toPlan(this.width, this.height);
    return { minX: a.x, minY: a.y, maxX: b.x, maxY: b.y };
  }

  /**
   * @param {number} dx CSS pixels
   * @param {number} dy
   */
  pan(dx, dy) {
    this.motion = null;
    this.fitted = false;
    this.#apply({ scale: this.scale, x: this.x + dx, y: this.y + dy });
  }

  /**
   * Multiplies the zoom by `factor` about the CSS pixel (x, y).
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  zoom(factor, x, y) {
    this.motion = null;
    this.fitted = false;
    this.#apply(this.#zoomed(factor, x, y));
  }

  /**
   * The same as a motion that begins `now` (milliseconds), or at once where motion is unwanted (`still`).
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   * @param {number} now
   * @param {boolean} still
   */
  zoomSoftly(factor, x, y, now, still) {
    this.#go(this.#zoomed(factor, x, y), now, still);
  }

  /**
   * @param {number} now
   * @param {boolean} still
   */
  fit(now, still) {
    this.#go(this.#lookAt(this.box), now, still, true);
  }

  /**
   * Shows `box` whole, but not closer than where seats can be told apart and picked.
   * @param {Geometry.Box} box
   * @param {number} now
   * @param {boolean} still
   */
  showBox(box, now, still) {
    this.#go(this.#lookAt(box, 15 / this.seatRadius), now, still);
  }

  /**
   * Centres a seat at a zoom at which it can be picked.
   * @param {number} x
   * @param {number} y
   * @param {number} now
   * @param {boolean} still
   */
  showSeat(x, y, now, still) {
    const scale = Math.max(this.scale, 12 / this.seatRadius);
    this.#go({ scale, x: this.width / 2 - x * scale, y: this.height / 2 - y * scale }, now, still);
  }

  /**
   * Carries a motion on; true while there is one.
   * @param {number} now milliseconds
   */
  step(now) {
    const { motion } = this;
    if (!motion) return false;
    const t = Math.min(1, (now - motion.start) / motion.length);
    const eased = 1 - (1 - t) ** 3;
    // Zooming by equal factors, not equal steps, is what looks even.
    const scale = motion.from.scale * (motion.to.scale / motion.from.scale) ** eased;
    const part =
      motion.to.scale === motion.from.scale
        ? eased
        : (scale - motion.from.scale) / (motion.to.scale - motion.from.scale);
    this.#apply({
      scale,
      x: motion.from.x + (motion.to.x - motion.from.x) * part,
      y: motion.from.y + (motion.to.y - motion.from.y) * part,
    });
    if (t >= 1) this.motion = null;
    return true;
  }

  stop() {
    this.motion = null;
  }

  /**
   * @param {Geometry.View} to
   * @param {number} now
   * @param {boolean} still
   */
  #go(to, now, still, fitted = false) {
    this.fitted = fitted;
    if (still) {
      this.motion = null;
      this.#apply(to);
      return;
    }
    this.motion = { from: { scale: this.scale, x: this.x, y: this.y }, to, start: now, length: 320 };
  }

  /**
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  #zoomed(factor, x, y) {
    const scale = this.#limit(this.scale * factor);
    const real = scale / this.scale;
    return { scale, x: x - (x - this.x) * real, y: y - (y - this.y) * real };
  }

  /** @param {number} scale */
  #limit(scale) {
    return Math.min(this.largest, Math.max(this.fitScale * 0.8, scale));
  }

  /**
   * The zoom at which `box` fills the view.
   * @param {Geometry.Box} box
   */
  scaleOf(box) {
    const { top, right, bottom, left } = this.inset;
    const width = Math.max(40, this.width - left - right - 2 * MARGIN);
    const height = Math.max(40, this.height - top - bottom - 2 * MARGIN);
    return Math.min(width / Math.max(1, box.maxX - box.minX), height / Math.max(1, box.maxY - box.minY));
  }

  /** @param {Geometry.Box} box */
  #lookAt(box, most = Infinity) {
    const { top, right, bottom, left } = this.inset;
    const scale = Math.min(this.scaleOf(box), Math.max(most, this.fitScale), this.largest);
    return {
      scale,
      x: left + (this.width - left - right) / 2 - ((box.minX + box.maxX) / 2) * scale,
      y: top + (this.height - top - bottom) / 2 - ((box.minY + box.maxY) / 2) * scale,
    };
  }

  /** @param {Geometry.View} look */
  #apply({ scale, x, y }) {
    this.scale = scale;
    const { box } = this;
    this.x = Math.min(this.width - KEEP - box.minX * scale, Math.max(KEEP - box.maxX * scale, x));
    this.y = Math.min(this.height - KEEP - box.minY * scale, Math.max(KEEP - box.maxY * scale, y));
  }
}

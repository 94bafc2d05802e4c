// A small picture of the whole hall with a frame around what is in sight; a press or a drag in it goes there.
import { bitmap, contextOf } from "./bitmap.js";

export class Minimap {
  /**
   * @param {Sale.Plan} plan
   * @param {number} side its longer side in CSS pixels
   * @param {(x: number, y: number) => void} onMove with the place in the plan that was pressed
   */
  constructor(plan, side, onMove) {
    const { minX, minY, maxX, maxY } = plan.box;
    this.box = plan.box;
    this.k = side / Math.max(maxX - minX, maxY - minY, 1);
    this.width = Math.max(24, (maxX - minX) * this.k);
    this.height = Math.max(24, (maxY - minY) * this.k);
    this.element = document.createElement("canvas");
    this.element.className = "minimap";
    this.element.setAttribute("aria-hidden", "true");
    this.element.style.width = `${this.width}px`;
    this.element.style.height = `${this.height}px`;
    this.ctx = contextOf(this.element);
    // The hall made small, once for each look of it: to do that in every frame of a pan is what would cost.
    this.picture = bitmap(1, 1);
    this.pictured = ""; // what it is of
    this.drawnAt = -Infinity; // milliseconds
    /** @param {PointerEvent} event */
    const move = (event) => {
      const at = this.element.getBoundingClientRect();
      onMove(minX + (event.clientX - at.left) / this.k, minY + (event.clientY - at.top) / this.k);
    };
    this.element.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.element.setPointerCapture(event.pointerId);
      move(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) move(event);
    });
  }

  /**
   * @param {import("./overview.js").Overview} overview
   * @param {import("./viewport.js").Viewport} viewport
   * @param {import("./colors.js").Theme} theme
   * @param {number} ratio device pixels a CSS pixel
   * @param {number} now milliseconds
   */
  draw(overview, viewport, theme, ratio, now) {
    this.drawnAt = now;
    const { element, ctx, k, box } = this;
    const width = Math.round(this.width * ratio);
    const height = Math.round(this.height * ratio);
    if (element.width !== width || element.height !== height) {
      element.width = width;
      element.height = height;
    }
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.drawImage(this.#pictureOf(overview, width, height), 0, 0);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { minX, minY, maxX, maxY } = viewport.sight;
    const left = Math.max(0, (minX - box.minX) * k);
    const top = Math.max(0, (minY - box.minY) * k);
    const right = Math.min(this.width, (maxX - box.minX) * k);
    const bottom = Math.min(this.height, (maxY - box.minY) * k);
    ctx.strokeStyle = theme.accent;
    ctx.lineWidth = 2;
    ctx.strokeRect(left + 1, top + 1, Math.max(4, right - left - 2), Math.max(4, bottom - top - 2));
  }

  /**
   * @param {import("./overview.js").Overview} overview
   * @param {number} width device pixels
   * @param {number} height
   */
  #pictureOf({ canvas, version }, width, height) {
    const { picture } = this;
    const wanted = `${version}/${width}/${height}`;
    if (this.pictured !== wanted) {
      this.pictured = wanted;
      picture.width = width;
      picture.height = height;
      const ctx = contextOf(picture);
      ctx.imageSmoothingQuality = "high";
      ctx.drawImage(canvas, 0, 0, width, height);
    }
    return picture;
  }
}

// A coarse picture of the whole plan: it stands in for tiles that are not there yet, and is made small for the minimap.
import { bitmap, contextOf } from "./bitmap.js";

const SIDE = 1000; // device pixels: its longer side

export class Overview {
  /**
   * @param {Pick<import("./painter.js").Painter, "paint">} painter
   * @param {Geometry.Box} box of everything drawn, plan units
   */
  constructor(painter, box) {
    this.painter = painter;
    this.box = box;
    this.k = SIDE / Math.max(1, box.maxX - box.minX, box.maxY - box.minY);
    this.ox = 2 - box.minX * this.k;
    this.oy = 2 - box.minY * this.k;
    this.canvas = bitmap(Math.ceil((box.maxX - box.minX) * this.k) + 4, Math.ceil((box.maxY - box.minY) * this.k) + 4);
    this.ctx = contextOf(this.canvas);
    this.version = 0; // grows when it is drawn on
  }

  /** Forgets what was drawn, and draws all of it. */
  reset() {
    this.ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.patch(this.box);
  }

  /**
   * Draws a part anew.
   * @param {Geometry.Box} box
   */
  patch(box) {
    this.painter.paint(this.ctx, box, this.k, this.ox, this.oy);
    this.version += 1;
  }

  /**
   * Copies what is in sight into `ctx`, and only that: enlarging all of it to throw most away is what would cost. (x, y) is
   * the plan's origin and `k` the scale, device pixels.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  copy(ctx, k, x, y, width, height) {
    const { canvas, ox, oy } = this;
    const part = k / this.k;
    const left = Math.max(0, Math.floor(ox - x / part));
    const top = Math.max(0, Math.floor(oy - y / part));
    const right = Math.min(canvas.width, Math.ceil((width - x) / part + ox));
    const bottom = Math.min(canvas.height, Math.ceil((height - y) / part + oy));
    if (right <= left || bottom <= top) return;
    const w = right - left;
    const h = bottom - top;
    ctx.drawImage(canvas, left, top, w, h, x + (left - ox) * part, y + (top - oy) * part, w * part, h * part);
  }
}

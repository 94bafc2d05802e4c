// Draws seats into any bitmap: whole tiles, or the spot of one seat that changed. Glyphs are drawn once for each
// (look, category, size) and copied from then on; numbers are written when they can be read.
import { AVAILABLE } from "../board.js";
import { backdrop } from "./backdrop.js";
import { bitmap, contextOf } from "./bitmap.js";
import { ASKED, drawMark, drawNumber, drawSeat, OWN, SMALLEST_SHAPE, smallSeat, WHEELCHAIR } from "./glyphs.js";

const READABLE = 8.5; // CSS pixels of radius from which a seat's number is written
const MARKED = 4.5; // CSS pixels of radius from which its category's letter is
const BOTH = 12; // CSS pixels of radius from which there is room for both
const MOST_SPRITES = 400;
const PIECE = 32; // seats that are painted in one go
const DIMMED = 0.16; // opacity of seats that the filter leaves out

/** @typedef {import("./colors.js").Theme} Theme */

/**
 * How each seat looks now; `filter`: categories that are shown in full, null for all.
 * @typedef {ReadonlySet<number>} Seats
 * @typedef {{board: {states: Uint8Array}, own: Seats, asked: Seats, filter: ReadonlySet<number> | null}} Looks
 */

export class Painter {
  /**
   * @param {Sale.Plan} plan
   * @param {import("./seat_index.js").SeatIndex} index
   * @param {Looks} looks
   * @param {import("./sections.js").Sections | null} sections null where seats are drawn however small they are
   */
  constructor(plan, index, looks, sections = null) {
    this.plan = plan;
    this.sections = sections;
    this.index = index;
    this.looks = looks;
    /** @type {Theme | null} */
    this.theme = null; // until `setTheme` nothing is painted
    this.ratio = 1; // device pixels a CSS pixel
    /** @type {Map<string, HTMLCanvasElement>} */
    this.sprites = new Map();
  }

  /**
   * @param {Theme} theme
   * @param {number} ratio
   */
  setTheme(theme, ratio) {
    this.theme = theme;
    this.ratio = ratio;
    this.sprites.clear();
  }

  /** @param {number} ordinal */
  look(ordinal) {
    if (this.looks.own.has(ordinal)) return OWN;
    if (this.looks.asked.has(ordinal)) return ASKED;
    return this.looks.board.states[ordinal] ?? AVAILABLE;
  }

  /**
   * Whether a picture with `k` device pixels a plan unit shows sections, and not seats.
   * @param {number} k
   */
  drawsSections(k) {
    return this.sections?.drawnAt(k / this.ratio) ?? false;
  }

  /**
   * Paints the box (plan units) of a bitmap on which `k` device pixels are a plan unit and the plan's origin is at
   * (ox, oy). Only the box is touched.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Geometry.Box} box
   * @param {number} k
   * @param {number} ox
   * @param {number} oy
   */
  paint(ctx, box, k, ox, oy) {
    const pieces = this.pieces(ctx, box, k, ox, oy);
    while (!pieces.next().done);
  }

  /**
   * The same a little at a time: who paints may leave the rest for the next frame, or leave it be (`return`). Meanwhile
   * the context is this painting's.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Geometry.Box} box
   * @param {number} k
   * @param {number} ox
   * @param {number} oy
   * @returns {Generator<void, void, void>}
   */
  *pieces(ctx, box, k, ox, oy) {
    const { theme } = this;
    if (!theme) return;
    const left = Math.floor(box.minX * k + ox);
    const top = Math.floor(box.minY * k + oy);
    const width = Math.ceil(box.maxX * k + ox) - left;
    const height = Math.ceil(box.maxY * k + oy) - top;
    ctx.save();
    try {
      ctx.beginPath();
      ctx.rect(left, top, width, height);
      ctx.clip();
      ctx.clearRect(left, top, width, height);
      yield;
      yield* backdrop(ctx, this.plan, theme, k, ox, oy, { left, top, width, height });
      if (this.drawsSections(k)) this.sections?.paint(ctx, box, theme, k, ox, oy, this.ratio);
      else yield* this.#seats(ctx, theme, this.index.inBox(box), k, ox, oy);
    } finally {
      ctx.restore();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Theme} theme
   * @param {number[]} ordinals
   * @param {number} k
   * @param {number} ox
   * @param {number} oy
   * @returns {Generator<void, void, void>}
   */
  *#seats(ctx, theme, ordinals, k, ox, oy) {
    const { plan } = this;
    const { filter } = this.looks;
    let paint = null;
    let alpha = 1;
    let painted = 0;
    for (const i of ordinals) {
      if ((painted += 1) % PIECE === 0) yield;
      const r = plan.r[i] * k;
      const x = plan.x[i] * k + ox;
      const y = plan.y[i] * k + oy;
      const look = this.look(i);
      const category = plan.category[i];
      const dim = filter !== null && look === AVAILABLE && !filter.has(category);
      const fill = theme.categories[category];
      if (r < SMALLEST_SHAPE) {
        const small = smallSeat(look, fill, theme);
        const opacity = dim ? DIMMED : small.alpha;
        if (opacity !== alpha) ctx.globalAlpha = alpha = opacity;
        if (small.paint !== paint) ctx.fillStyle = paint = small.paint;
        const half = Math.max(0.35, r * small.part);
        ctx.fillRect(x - half, y - half, half * 2, half * 2);
        continue;
      }
      const known = this.sprites.size;
      const sprite = this.#sprite(theme, look, category, r, plan.accessible[i] === 1);
      if (this.sprites.size !== known) yield; // one that had to be drawn took its time
      const opacity = dim ? DIMMED : 1;
      if (opacity !== alpha) ctx.globalAlpha = alpha = opacity;
      ctx.drawImage(sprite, x - sprite.width / 2, y - sprite.height / 2);
      paint = null;
      if (look === AVAILABLE && !dim) this.#write(ctx, theme, i, x, y, r);
    }
    ctx.globalAlpha = 1;
  }

  /**
   * A free seat's number, where there is room for it; with the letter of its category, which is in the seat's own
   * picture as long as there is not.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Theme} theme
   * @param {number} i
   * @param {number} x
   * @param {number} y
   * @param {number} r
   */
  #write(ctx, theme, i, x, y, r) {
    const { plan, ratio } = this;
    const fill = theme.categories[plan.category[i]];
    const mark = plan.marks[plan.category[i]];
    if (r < (mark ? BOTH : READABLE) * ratio || (plan.accessible[i] && r >= WHEELCHAIR)) return;
    drawNumber(ctx, plan.numberOf(i), mark, x, y, r, fill, theme);
  }

  /**
   * @param {Theme} theme
   * @param {number} look
   * @param {number} category
   * @param {number} r
   * @param {boolean} accessible
   */
  #sprite(theme, look, category, r, accessible) {
    const size = Math.round(r * 4) / 4;
    const key = `${look}/${look === AVAILABLE ? category : ""}/${size}/${look === AVAILABLE && accessible ? 1 : 0}`;
    let sprite = this.sprites.get(key);
    if (!sprite) {
      if (this.sprites.size >= MOST_SPRITES) this.sprites.clear();
      const side = Math.ceil(size * 2.6) + 2;
      sprite = bitmap(side, side);
      const fill = theme.categories[category];
      drawSeat(contextOf(sprite), look, side / 2, side / 2, size, fill, theme, accessible);
      const mark = this.plan.marks[category];
      const alone = size >= MARKED * this.ratio && size < BOTH * this.ratio && !(accessible && size >= WHEELCHAIR);
      if (look === AVAILABLE && mark && alone) drawMark(contextOf(sprite), mark, side / 2, side / 2, size, fill, theme);
      this.sprites.set(key, sprite);
    }
    return sprite;
  }

  /**
   * The box in which one seat's drawing may have left a mark.
   * @param {number} ordinal
   * @returns {Geometry.Box}
   */
  boxOf(ordinal) {
    const { plan } = this;
    const reach = plan.r[ordinal] * 1.35;
    const x = plan.x[ordinal];
    const y = plan.y[ordinal];
    return { minX: x - reach, minY: y - reach, maxX: x + reach, maxY: y + reach };
  }
}

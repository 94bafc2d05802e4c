// Draws seats into any bitmap: whole tiles, or the spot of one seat that changed. Glyphs are drawn once for each
// (look, category, size) and copied from then on; numbers are written when they can be read.
import { AVAILABLE } from "../board.js";
import { drawBackdrop } from "./backdrop.js";
import { ASKED, drawNumber, drawSeat, OWN, SMALLEST_SHAPE, smallSeat } from "./glyphs.js";

const READABLE = 8.5; // CSS pixels of radius from which a seat's number is written
const MOST_SPRITES = 400;
const DIMMED = 0.16; // opacity of seats that the filter leaves out

export class Painter {
  /** `looks` says how each seat looks now: {board: Board, own: Set, asked: Set, filter: Set of categories or null}. */
  constructor(plan, index, looks) {
    this.plan = plan;
    this.index = index;
    this.looks = looks;
    this.theme = null;
    this.ratio = 1; // device pixels a CSS pixel
    this.sprites = new Map();
  }

  setTheme(theme, ratio) {
    this.theme = theme;
    this.ratio = ratio;
    this.sprites.clear();
  }

  look(ordinal) {
    if (this.looks.own.has(ordinal)) return OWN;
    if (this.looks.asked.has(ordinal)) return ASKED;
    return this.looks.board.states[ordinal] ?? AVAILABLE;
  }

  /**
   * Paints the box (plan units) of a bitmap on which `k` device pixels are a plan unit and the plan's origin is at
   * (ox, oy). Only the box is touched.
   */
  paint(ctx, box, k, ox, oy) {
    const left = Math.floor(box.minX * k + ox);
    const top = Math.floor(box.minY * k + oy);
    const width = Math.ceil(box.maxX * k + ox) - left;
    const height = Math.ceil(box.maxY * k + oy) - top;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.clearRect(left, top, width, height);
    drawBackdrop(ctx, this.plan, this.theme, k, ox, oy);
    this.#seats(ctx, this.index.inBox(box), k, ox, oy);
    ctx.restore();
  }

  #seats(ctx, ordinals, k, ox, oy) {
    const { plan, theme } = this;
    const { filter } = this.looks;
    let paint = null;
    let alpha = 1;
    for (const i of ordinals) {
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
      const sprite = this.#sprite(look, category, r, plan.accessible[i]);
      const opacity = dim ? DIMMED : 1;
      if (opacity !== alpha) ctx.globalAlpha = alpha = opacity;
      ctx.drawImage(sprite, x - sprite.width / 2, y - sprite.height / 2);
      paint = null;
      if (look === AVAILABLE && !dim && r >= READABLE * this.ratio && !(plan.accessible[i] && r >= 9)) {
        drawNumber(ctx, plan.numbers[i], x, y, r, fill, theme);
      }
    }
    ctx.globalAlpha = 1;
  }

  #sprite(look, category, r, accessible) {
    const size = Math.round(r * 4) / 4;
    const key = `${look}/${look === AVAILABLE ? category : ""}/${size}/${look === AVAILABLE ? accessible : 0}`;
    let sprite = this.sprites.get(key);
    if (!sprite) {
      if (this.sprites.size >= MOST_SPRITES) this.sprites.clear();
      sprite = document.createElement("canvas");
      const side = Math.ceil(size * 2.6) + 2;
      sprite.width = side;
      sprite.height = side;
      drawSeat(
        sprite.getContext("2d"),
        look,
        side / 2,
        side / 2,
        size,
        this.theme.categories[category],
        this.theme,
        accessible,
      );
      this.sprites.set(key, sprite);
    }
    return sprite;
  }

  /** The box in which one seat's drawing may have left a mark. */
  boxOf(ordinal) {
    const { plan } = this;
    const reach = plan.r[ordinal] * 1.35;
    const x = plan.x[ordinal];
    const y = plan.y[ordinal];
    return { minX: x - reach, minY: y - reach, maxX: x + reach, maxY: y + reach };
  }
}

// How sections look from afar: their price band, and how much of them is left.
import { SectionCounts } from "../section_counts.js";
import { bitmap, contextOf } from "./bitmap.js";
import { shapesOf } from "./section_shapes.js";

/** CSS pixels of seat radius: from farther away sections are drawn instead of seats. */
const SECTIONS_BELOW = 5;

const LINE = 1.25; // CSS pixels
const HATCH = 6; // CSS pixels from one line of the pattern to the next

/** @typedef {import("./colors.js").Theme} Theme */
/** @typedef {import("../section_counts.js").Counted & {at: Geometry.Point}} Section `at`: where its name stands, plan units */

export class Sections {
  /** @param {Sale.Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.shapes = shapesOf(plan);
    this.radius = plan.measures.usualRadius;
    /** Whether there are any to tell apart. */
    this.several = plan.zones.length > 1;
    this.counts = new SectionCounts(plan);
    /** @type {Section[]} */
    this.list = [];
    /** @type {Map<string, CanvasPattern | null>} */
    this.patterns = new Map();
    this.count(new Uint8Array(0), null);
  }

  /** Of all that is drawn: sections reach beyond their seats. */
  bounds() {
    const box = { ...this.plan.box };
    if (!this.several) return box;
    for (const shape of this.shapes) {
      const { minX, minY, maxX, maxY } = reach(shape);
      box.minX = Math.min(box.minX, minX);
      box.minY = Math.min(box.minY, minY);
      box.maxX = Math.max(box.maxX, maxX);
      box.maxY = Math.max(box.maxY, maxY);
    }
    return box;
  }

  /**
   * Whether sections are drawn where a plan unit has `scale` CSS pixels.
   * @param {number} scale
   */
  drawnAt(scale) {
    return this.several && this.radius * scale < SECTIONS_BELOW;
  }

  /**
   * Counts again; answers the boxes of the sections that look different from afar.
   * @param {Uint8Array} states
   * @param {ReadonlySet<number> | null} filter categories that count, null for all
   * @returns {Geometry.Box[]}
   */
  count(states, filter) {
    const before = this.list.map(looks);
    this.list = this.counts.count(states, filter).map((counted, i) => ({ ...counted, at: this.shapes[i].at }));
    return this.shapes.filter((_, i) => looks(this.list[i]) !== before[i]).map(reach);
  }

  /**
   * Draws the shapes; `k` device pixels are a plan unit, (ox, oy) is the plan's origin.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Geometry.Box} box
   * @param {Theme} theme
   * @param {number} k
   * @param {number} ox
   * @param {number} oy
   * @param {number} ratio device pixels a CSS pixel
   */
  paint(ctx, box, theme, k, ox, oy, ratio) {
    ctx.save();
    ctx.transform(k, 0, 0, k, ox, oy);
    ctx.lineJoin = ctx.lineCap = "round";
    const line = (LINE * ratio) / k;
    this.shapes.forEach((shape, i) => {
      if (!meets(reach(shape), box)) return;
      const { girth } = shape;
      const { level, category } = this.list[i];
      const fill = theme.categories[category];
      ctx.lineWidth = girth + 2 * line;
      ctx.strokeStyle = level === "none" ? theme["line-strong"] : fill.fill;
      ctx.stroke(shape.path);
      ctx.lineWidth = girth;
      if (level === "few") cover(ctx, shape, this.#hatch(ctx, fill.fill, theme.map, k, ratio) ?? fill.soft);
      else cover(ctx, shape, level === "none" ? theme.map : fill.soft);
    });
    ctx.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {string} color
   * @param {string} ground it covers what is below it: a section is drawn on twice where its edge is
   * @param {number} k
   * @param {number} ratio
   */
  #hatch(ctx, color, ground, k, ratio) {
    const key = `${color}/${ground}/${ratio}`;
    let pattern = this.patterns.get(key);
    if (pattern === undefined) {
      const side = Math.round(HATCH * ratio);
      const tile = bitmap(side, side);
      const pen = contextOf(tile);
      pen.fillStyle = ground;
      pen.fillRect(0, 0, side, side);
      pen.strokeStyle = color;
      pen.globalAlpha = 0.75;
      pen.lineWidth = ratio;
      pen.beginPath();
      for (const shift of [-side, 0, side]) {
        pen.moveTo(shift - 1, side + 1);
        pen.lineTo(shift + side + 1, -1);
      }
      pen.stroke();
      pattern = ctx.createPattern(tile, "repeat");
      this.patterns.set(key, pattern);
    }
    // The pattern is of the screen and does not grow with the hall.
    pattern?.setTransform(new DOMMatrix().scale(1 / k));
    return pattern;
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("./section_shapes.js").Shape} shape
 * @param {string | CanvasPattern} paint
 */
function cover(ctx, { path, solid }, paint) {
  ctx.strokeStyle = ctx.fillStyle = paint;
  ctx.stroke(path);
  if (solid) ctx.fill(path);
}

/**
 * The box that a section is drawn in.
 * @param {import("./section_shapes.js").Shape} shape
 * @returns {Geometry.Box}
 */
function reach({ zone: { box }, girth }) {
  const around = girth * 0.6;
  return { minX: box.minX - around, minY: box.minY - around, maxX: box.maxX + around, maxY: box.maxY + around };
}

/** @param {Section} section */
const looks = ({ level, category }) => `${level}/${category}`;

/**
 * @param {Geometry.Box} a
 * @param {Geometry.Box} b
 */
const meets = (a, b) => a.minX < b.maxX && a.maxX > b.minX && a.minY < b.maxY && a.maxY > b.minY;

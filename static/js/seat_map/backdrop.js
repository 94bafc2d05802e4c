// What stands in the hall besides seats: stage, walls, bars, texts, the rows' names.
import { write } from "./letters.js";

const NAMES = 24; // of rows that are drawn in one go

/** @typedef {{left: number, top: number, width: number, height: number}} Part of a bitmap, device pixels */

/**
 * Draws a little at a time into a context whose unit is device pixels; `k` device pixels a plan unit, (ox, oy) the plan's
 * origin there. Letters that do not reach into the `part` are left out.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Sale.Plan} plan
 * @param {import("./colors.js").Theme} theme
 * @param {number} k
 * @param {number} ox
 * @param {number} oy
 * @param {Part} part
 * @returns {Generator<void, void, void>}
 */
export function* backdrop(ctx, plan, theme, k, ox, oy, part) {
  for (const area of plan.areas) {
    if (!isNear(part, area.x * k + ox, area.y * k + oy, reachOf(area) * k + 2)) continue;
    drawArea(ctx, area, theme, k, ox, oy, plan.onItsSide, part);
    if (area.text) yield;
  }
  const size = 9 * k;
  // A row's name smaller than this is dust.
  if (size < 7) return;
  const names = plan.rowLabels.filter(({ x, y }) => isNear(part, x * k + ox, y * k + oy, 50));
  for (let from = 0; from < names.length; from += NAMES) {
    ctx.fillStyle = theme["ink-3"];
    for (const { text, x, y } of names.slice(from, from + NAMES))
      write(ctx, text, x * k + ox, y * k + oy, Math.min(size, 26), 500, theme);
    yield;
  }
}

/**
 * Whether a place is in the part, or so near to it.
 * @param {Part} part
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 */
const isNear = ({ left, top, width, height }, x, y, reach) =>
  x > left - reach && y > top - reach && x < left + width + reach && y < top + height + reach;

/** @type {WeakMap<import("../plan.js").Area, number>} */
const reaches = new WeakMap();

/**
 * How far from its place an area draws anything, its text included; plan units.
 * @param {import("../plan.js").Area} area
 */
function reachOf(area) {
  let reach = reaches.get(area);
  if (reach === undefined) reaches.set(area, (reach = measured(area)));
  return reach;
}

/** @param {import("../plan.js").Area} area */
function measured({ x, y, geometry: g, text, text_x, text_y, text_size }) {
  const points = (g.points ?? []).map((point) => Math.hypot(...point));
  const shape = Math.max(Math.hypot(g.width ?? 0, g.height ?? 0), g.radius ?? 0, g.rx ?? 0, g.ry ?? 0, ...points);
  // No letter is broader than it is high, and by far.
  const words = text ? Math.hypot(text_x - x, text_y - y) + Math.max(0, text_size) * (text.length + 1) : 0;
  return Math.max(shape, words) * 1.01 + 2;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../plan.js").Area} area
 * @param {import("./colors.js").Theme} theme
 * @param {number} k
 * @param {number} ox
 * @param {number} oy
 * @param {boolean} onItsSide the hall is turned; words stand upright all the same
 * @param {Part} part
 */
function drawArea(ctx, area, theme, k, ox, oy, onItsSide, part) {
  const { geometry: g } = area;
  ctx.save();
  ctx.translate(area.x * k + ox, area.y * k + oy);
  ctx.rotate((area.rotation * Math.PI) / 180);
  ctx.beginPath();
  if (area.shape === "rectangle") ctx.roundRect(0, 0, (g.width ?? 0) * k, (g.height ?? 0) * k, Math.min(6 * k, 10));
  else if (area.shape === "circle") ctx.arc(0, 0, (g.radius ?? 0) * k, 0, Math.PI * 2);
  else if (area.shape === "ellipse") ctx.ellipse(0, 0, (g.rx ?? 0) * k, (g.ry ?? 0) * k, 0, 0, Math.PI * 2);
  else if (area.shape === "polygon") {
    (g.points ?? []).forEach(([x, y], i) => (i ? ctx.lineTo(x * k, y * k) : ctx.moveTo(x * k, y * k)));
    ctx.closePath();
  }
  if (area.shape !== "text") {
    // Organisers draw for white paper: their colour is kept as a hint, the page's own tones carry it into the dark.
    ctx.fillStyle = theme.line;
    ctx.fill();
    if (area.color && !theme.dark) {
      ctx.globalAlpha = 0.35;
      ctx.fillStyle = area.color;
      ctx.fill();
      ctx.globalAlpha = 1;
    }
    ctx.strokeStyle = theme["line-strong"];
    ctx.globalAlpha = 0.5;
    ctx.lineWidth = Math.max(1, k * 0.8);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  if (area.text) {
    const size = Math.max(0, area.text_size * k);
    // No letter is broader than it is high, and by far.
    if (size >= 5 && isNear(part, area.text_x * k + ox, area.text_y * k + oy, size * (area.text.length + 1))) {
      ctx.fillStyle = theme["ink-2"];
      ctx.translate((area.text_x - area.x) * k, (area.text_y - area.y) * k);
      if (onItsSide) ctx.rotate(Math.PI / 2);
      write(ctx, area.text, 0, 0, size, 600, theme);
    }
  }
  ctx.restore();
}

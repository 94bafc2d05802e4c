// What is known of a plan only after looking at all of its seats. Pure, and without the page: a worker does it, because
// 60,000 seats keep a phone's page from moving for half a second.
import { outlinesOf } from "./seat_map/outlines.js";

/**
 * `boxes`: of each zone's seats, by its index, minX, minY, maxX, maxY; `kinds`: how many seats each zone has, by its index,
 * in each category; radii are plan units.
 * @typedef {{boxes: Float64Array<ArrayBuffer>, kinds: Uint32Array<ArrayBuffer>, usualRadius: number, largestRadius: number, outlines: import("./seat_map/outlines.js").Outlines}} Measures
 */

/**
 * @param {import("./plan_columns.js").PlanArrays} parts
 * @returns {Measures}
 */
export function measuresOf(parts) {
  const { size, x, y, r, zoneOf, category } = parts;
  const [count, kinds] = [parts.zones.length, parts.categories.length];
  const boxes = new Float64Array(4 * count);
  for (let zone = 0; zone < count; zone += 1) boxes.set([Infinity, Infinity, -Infinity, -Infinity], 4 * zone);
  const seats = new Uint32Array(count * kinds);
  let largestRadius = 0;
  for (let i = 0; i < size; i += 1) {
    const zone = zoneOf[i];
    const at = 4 * zone;
    boxes[at] = Math.min(boxes[at], x[i] - r[i]);
    boxes[at + 1] = Math.min(boxes[at + 1], y[i] - r[i]);
    boxes[at + 2] = Math.max(boxes[at + 2], x[i] + r[i]);
    boxes[at + 3] = Math.max(boxes[at + 3], y[i] + r[i]);
    seats[zone * kinds + category[i]] += 1;
    largestRadius = Math.max(largestRadius, r[i]);
  }
  return { boxes, kinds: seats, usualRadius: median(r), largestRadius, outlines: outlinesOf(parts, count) };
}

/**
 * Everything in `measures` that can be handed from a worker to its page without a copy.
 * @param {Measures} measures
 */
export function buffersOfMeasures({ boxes, kinds, outlines }) {
  return [boxes, kinds, ...Object.values(outlines)].map(({ buffer }) => buffer);
}

/** @param {Float32Array} values */
function median(values) {
  const sorted = Float32Array.from(values).sort();
  return sorted[sorted.length >> 1] || 10;
}

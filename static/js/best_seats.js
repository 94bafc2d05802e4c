// Seats side by side, as near to the stage as can be had, without leaving a single seat alone beside them.
import { AVAILABLE } from "./board.js";

const GAP = 1.6; // of a row's usual distance between seats: more is an aisle
const ALONE = 3; // seats' widths that a single seat left over costs

/**
 * The best `count` free seats together, or null. `filter`: categories (indices) that will do, null for all; wheelchair
 * places are only given when they are asked for. `avoid`: seats that are known to be gone before the board says so.
 * @param {Sale.Plan} plan
 * @param {Uint8Array} states
 * @param {number} count
 * @param {ReadonlySet<number> | null} filter
 * @param {ReadonlySet<number>} avoid
 * @returns {number[] | null}
 */
export function bestSeats(plan, states, count, filter, avoid = new Set()) {
  const focus = stage(plan);
  /** @type {number[] | null} */
  let best = null;
  let least = Infinity;
  for (const row of plan.rows) {
    for (const run of runs(plan, row.seats)) {
      for (let i = 0; i + count <= run.length; i += 1) {
        const seats = run.slice(i, i + count);
        if (!seats.every((seat) => fits(plan, states, filter, seat) && !avoid.has(seat))) continue;
        const alone = lonely(states, run, i - 1, i - 2) + lonely(states, run, i + count, i + count + 1);
        const cost = distance(plan, seats, focus) + alone * ALONE * 2 * plan.r[seats[0]];
        if (cost < least) [best, least] = [seats, cost];
      }
    }
  }
  return best;
}

/**
 * @param {Sale.Plan} plan
 * @param {Uint8Array} states
 * @param {ReadonlySet<number> | null} filter
 * @param {number} seat
 */
function fits(plan, states, filter, seat) {
  if (states[seat] !== AVAILABLE) return false;
  if (filter !== null) return filter.has(plan.category[seat]);
  return plan.accessible[seat] === 0;
}

/**
 * A free seat at `at` whose further neighbour is not free: nobody buys it alone.
 * @param {Uint8Array} states
 * @param {number[]} run
 * @param {number} at
 * @param {number} beyond
 */
function lonely(states, run, at, beyond) {
  /** @param {number} i */
  const free = (i) => i >= 0 && i < run.length && states[run[i]] === AVAILABLE;
  return free(at) && !free(beyond) ? 1 : 0;
}

/**
 * The parts of a row between aisles, from one end to the other.
 * @param {Sale.Plan} plan
 * @param {number[]} seats
 */
function runs(plan, seats) {
  /**
   * @param {number} a
   * @param {number} b
   */
  const far = (a, b) => Math.hypot(plan.x[a] - plan.x[b], plan.y[a] - plan.y[b]);
  const gaps = seats
    .slice(1)
    .map((seat, i) => far(seats[i], seat))
    .sort((a, b) => a - b);
  const usual = gaps.length ? gaps[gaps.length >> 1] : 0;
  const parts = [];
  /** @type {number[]} */
  let part = [];
  seats.forEach((seat, i) => {
    if (i > 0 && far(seats[i - 1], seat) > usual * GAP) {
      parts.push(part);
      part = [];
    }
    part.push(seat);
  });
  parts.push(part);
  return parts;
}

// What halls call the place that everybody looks at.
const NAMED = /\b(stage|field|court|pitch|ring|podium|bühne|scène|escenario|palco)\b|무대|그라운드|코트|링|舞台/i;

/**
 * What everybody looks at: what says so, else the biggest thing drawn that is not a seat and has none on it, else the
 * middle of the plan's upper edge.
 * @param {Sale.Plan} plan
 */
function stage(plan) {
  const named = plan.areas.filter(({ text }) => text && NAMED.test(text));
  const bare = plan.areas.filter((area) => !hasSeats(plan, area));
  let best = { x: (plan.box.minX + plan.box.maxX) / 2, y: plan.box.minY };
  let largest = 0;
  for (const { shape, x, y, geometry: g } of named.length ? named : bare) {
    const { width = 0, height = 0, radius = 0, rx = radius, ry = radius } = g;
    if (shape === "rectangle" && width * height > largest) {
      largest = width * height;
      best = { x: x + width / 2, y: y + height / 2 };
    } else if ((shape === "circle" || shape === "ellipse") && rx * ry * 3 > largest) {
      largest = rx * ry * 3;
      best = { x, y };
    } else if (shape === "polygon" && g.points?.length) {
      const xs = g.points.map((point) => point[0]);
      const ys = g.points.map((point) => point[1]);
      const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      // Thin curves are walls and balustrades, not stages.
      const size = surface(g.points);
      if (size > largest) {
        largest = size;
        best = { x: x + (left + right) / 2, y: y + (top + bottom) / 2 };
      }
    }
  }
  return best;
}

/**
 * Whether seats stand on it: then it is the floor of the hall, or its wall drawn as one shape.
 * @param {Sale.Plan} plan
 * @param {import("./plan.js").Area} area
 */
function hasSeats(plan, { shape, x, y, geometry: g }) {
  const { width = 0, height = 0, radius = 0, rx = radius, ry = radius } = g;
  for (let seat = 0; seat < plan.size; seat += 1) {
    const [dx, dy] = [plan.x[seat] - x, plan.y[seat] - y];
    if (shape === "rectangle" && dx >= 0 && dy >= 0 && dx <= width && dy <= height) return true;
    if (shape !== "rectangle" && rx > 0 && ry > 0 && (dx / rx) ** 2 + (dy / ry) ** 2 <= 1) return true;
  }
  return false;
}

/** @param {[number, number][]} points */
function surface(points) {
  let twice = 0;
  points.forEach(([x, y], i) => {
    const [nextX, nextY] = points[(i + 1) % points.length];
    twice += x * nextY - nextX * y;
  });
  return Math.abs(twice) / 2;
}

/**
 * @param {Sale.Plan} plan
 * @param {number[]} seats
 * @param {Geometry.Point} focus
 */
function distance(plan, seats, focus) {
  const x = seats.reduce((sum, seat) => sum + plan.x[seat], 0) / seats.length;
  const y = seats.reduce((sum, seat) => sum + plan.y[seat], 0) / seats.length;
  return Math.hypot(x - focus.x, y - focus.y);
}

// Sections as shapes: what the whole hall is drawn with while single seats would be dust. A section's shape is its rows,
// each drawn as a stroke so broad that it touches the next one: right for curves, horseshoes and aisles alike, where a
// hull would cover what is between.

const BREAK = 2.6; // of a row's usual distance between seats: more is an aisle, which is seen
const LOOSE = 0.35; // of a seat's radius: how far a row may be simplified
const JOINS = 1.6; // of a stroke's breadth: rows whose ends are farther apart are not joined there
const SLIM = 2.4; // of a seat's radius: a stroke's least breadth

/** @typedef {{zone: Sale.Zone, path: Path2D, girth: number, at: Geometry.Point}} Shape `girth`: the stroke's breadth; `at`: a place in its middle; plan units */

/**
 * One for each of the plan's zones, in their order.
 * @param {Sale.Plan} plan
 * @returns {Shape[]}
 */
export function shapesOf(plan) {
  return plan.zones.map((zone) => {
    const path = new Path2D();
    const rows = zone.rows.map((index) => plan.rows[index].ordinals);
    for (const ordinals of rows) trace(plan, ordinals, path);
    const girth = girthOf(plan, rows);
    for (let i = 1; i < rows.length; i += 1) join(plan, rows[i - 1], rows[i], girth * JOINS, path);
    return { zone, path, girth, at: middle(plan, rows, girth) };
  });
}

/**
 * A row's line into `path`, with as few corners as it takes.
 * @param {Sale.Plan} plan
 * @param {Uint32Array} ordinals
 * @param {Path2D} path
 */
function trace(plan, ordinals, path) {
  const gap = BREAK * usualGap(plan, ordinals);
  let from = 0;
  for (let i = 1; i <= ordinals.length; i += 1) {
    if (i < ordinals.length && far(plan, ordinals[i - 1], ordinals[i]) <= gap) continue;
    line(plan, ordinals.subarray(from, i), path);
    from = i;
  }
}

/**
 * @param {Sale.Plan} plan
 * @param {Uint32Array} run
 * @param {Path2D} path
 */
function line({ x, y, r }, run, path) {
  const [first, last] = [run[0], run[run.length - 1]];
  path.moveTo(x[first], y[first]);
  // A stroke of no length is drawn as nothing by some: a hair is enough for its round ends.
  if (first === last) path.lineTo(x[first] + r[first] * 0.01, y[first]);
  else corners(x, y, run, 0, run.length - 1, r[first] * LOOSE, path);
}

/**
 * Douglas and Peucker's way: the seat that is farthest off the straight line becomes a corner while it is too far off.
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {Uint32Array} run
 * @param {number} from
 * @param {number} to
 * @param {number} slack
 * @param {Path2D} path
 */
function corners(x, y, run, from, to, slack, path) {
  const [ax, ay] = [x[run[from]], y[run[from]]];
  const [dx, dy] = [x[run[to]] - ax, y[run[to]] - ay];
  const length = Math.hypot(dx, dy) || 1;
  let worst = slack;
  let at = -1;
  for (let i = from + 1; i < to; i += 1) {
    const off = Math.abs((x[run[i]] - ax) * dy - (y[run[i]] - ay) * dx) / length;
    if (off > worst) [worst, at] = [off, i];
  }
  if (at > 0) {
    corners(x, y, run, from, at, slack, path);
    corners(x, y, run, at, to, slack, path);
  } else path.lineTo(x[run[to]], y[run[to]]);
}

/**
 * From end to end of two rows that follow on each other, so that the section's sides are smooth.
 * @param {Sale.Plan} plan
 * @param {Uint32Array} row
 * @param {Uint32Array} next
 * @param {number} most plan units
 * @param {Path2D} path
 */
function join(plan, row, next, most, path) {
  for (const [from, to] of [
    [row[0], next[0]],
    [row[row.length - 1], next[next.length - 1]],
  ]) {
    if (far(plan, from, to) > most) continue;
    path.moveTo(plan.x[from], plan.y[from]);
    path.lineTo(plan.x[to], plan.y[to]);
  }
}

/**
 * The distance from row to row where it is known, with a little more so that neighbours meet.
 * @param {Sale.Plan} plan
 * @param {Uint32Array[]} rows
 */
function girthOf(plan, rows) {
  const gaps = [];
  for (let i = 1; i < rows.length; i += 1) gaps.push(rowGap(plan, rows[i - 1], rows[i]));
  const radius = plan.r[rows[0][0]] || 10;
  const usual = gaps.length ? gaps.sort((a, b) => a - b)[gaps.length >> 1] : 0;
  // Rows that do not follow on each other are no measure.
  const between = usual > 0 && usual < radius * 8 ? usual : 0;
  return Math.max(radius * SLIM, between * 1.3);
}

/**
 * From the middle of one row to the nearest seat of the next.
 * @param {Sale.Plan} plan
 * @param {Uint32Array} row
 * @param {Uint32Array} next
 */
function rowGap(plan, row, next) {
  const from = row[row.length >> 1];
  let least = Infinity;
  for (const to of next) least = Math.min(least, far(plan, from, to));
  return least;
}

/**
 * @param {Sale.Plan} plan
 * @param {Uint32Array} ordinals
 */
function usualGap(plan, ordinals) {
  const gaps = [];
  for (let i = 1; i < ordinals.length; i += 1) gaps.push(far(plan, ordinals[i - 1], ordinals[i]));
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? 0;
}

/**
 * @param {Sale.Plan} plan
 * @param {number} a
 * @param {number} b
 */
const far = ({ x, y }, a, b) => Math.hypot(x[a] - x[b], y[a] - y[b]);

/**
 * The middle of all seats, or the seat nearest to it where it lies outside of the section.
 * @param {Sale.Plan} plan
 * @param {Uint32Array[]} rows
 * @param {number} girth
 * @returns {Geometry.Point}
 */
function middle({ x, y }, rows, girth) {
  let [sumX, sumY, count] = [0, 0, 0];
  for (const row of rows) {
    for (const seat of row) {
      sumX += x[seat];
      sumY += y[seat];
    }
    count += row.length;
  }
  const centre = { x: sumX / count, y: sumY / count };
  let [best, least] = [centre, Infinity];
  for (const row of rows) {
    for (const seat of row) {
      const off = Math.hypot(x[seat] - centre.x, y[seat] - centre.y);
      if (off < least) [best, least] = [{ x: x[seat], y: y[seat] }, off];
    }
  }
  return least <= girth ? centre : best;
}

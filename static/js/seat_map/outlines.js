// The outlines of sections: what the whole hall is drawn with while single seats would be dust. Where rows follow on each
// other from end to end, a section is what lies within its first and last seats; else its rows, each a stroke so broad
// that it touches the next one: right for aisles and odd corners, where a hull would cover what is between. Pure, and
// without the page: a worker makes them.

const BREAK = 2.6; // of a row's usual distance between seats: more is an aisle, which is seen
const LOOSE = 0.35; // of a seat's radius: how far a row may be simplified
const JOINS = 1.6; // of a stroke's breadth: rows whose ends are farther apart are not joined there
const SLIM = 2.4; // of a seat's radius: a stroke's least breadth

/** @typedef {{x: Float32Array, y: Float32Array, r: Float32Array, rowZones: Uint16Array, rowSeats: Uint32Array, rowStarts: Uint32Array}} Places of seats, and their rows (plan_columns.js) */
/**
 * Of every zone, by its index: its strokes are those from `zones[zone]` to `zones[zone + 1]`, a stroke's corners those from
 * `strokes[stroke]` to `strokes[stroke + 1]`, two numbers each in `corners`. `girths`: the strokes' breadth; `middles`: a
 * place in the zone's middle, two numbers each; `solid`: 1 where a zone's one stroke is closed, and what is in it belongs to
 * the zone. Plan units.
 * @typedef {{zones: Uint32Array<ArrayBuffer>, strokes: Uint32Array<ArrayBuffer>, corners: Float32Array<ArrayBuffer>, girths: Float32Array<ArrayBuffer>, middles: Float32Array<ArrayBuffer>, solid: Uint8Array<ArrayBuffer>}} Outlines
 */

/** What is drawn, as numbers: a worker has no canvas, and hands over nothing but numbers. */
class Strokes {
  constructor() {
    /** @type {number[]} */
    this.starts = [];
    /** @type {number[]} */
    this.corners = [];
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  moveTo(x, y) {
    this.starts.push(this.corners.length / 2);
    this.corners.push(x, y);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  lineTo(x, y) {
    this.corners.push(x, y);
  }
}

/**
 * @param {Places} plan
 * @param {number} count how many zones there are
 * @returns {Outlines}
 */
export function outlinesOf(plan, count) {
  /** @type {Uint32Array[][]} */
  const rowsOf = Array.from({ length: count }, () => []);
  plan.rowZones.forEach((zone, row) =>
    rowsOf[zone].push(plan.rowSeats.subarray(plan.rowStarts[row], plan.rowStarts[row + 1])),
  );
  const strokes = new Strokes();
  const zones = new Uint32Array(count + 1);
  const girths = new Float32Array(count);
  const middles = new Float32Array(2 * count);
  const solid = new Uint8Array(count);
  rowsOf.forEach((rows, zone) => {
    if (rows.length) {
      const girth = girthOf(plan, rows);
      solid[zone] = isSolid(plan, rows, girth * JOINS) ? 1 : 0;
      if (solid[zone]) surround(plan, rows, strokes);
      else {
        for (const row of rows) trace(plan, row, strokes);
        for (let i = 1; i < rows.length; i += 1) join(plan, rows[i - 1], rows[i], girth * JOINS, strokes);
      }
      const { x, y } = middle(plan, rows, girth);
      girths[zone] = girth;
      middles.set([x, y], 2 * zone);
    }
    zones[zone + 1] = strokes.starts.length;
  });
  const places = Float32Array.from(strokes.corners);
  const starts = Uint32Array.from([...strokes.starts, places.length / 2]);
  return { zones, strokes: starts, corners: places, girths, middles, solid };
}

/**
 * Whether rows without aisles follow on each other at both of their ends.
 * @param {Places} plan
 * @param {Uint32Array[]} rows
 * @param {number} most plan units from end to end
 */
function isSolid(plan, rows, most) {
  if (rows.length < 2) return false;
  return rows.every((row, i) => {
    const next = rows[i + 1];
    if (next && (far(plan, row[0], next[0]) > most || far(plan, row[row.length - 1], next[next.length - 1]) > most))
      return false;
    const gap = BREAK * usualGap(plan, row);
    return row.every((seat, at) => at === 0 || far(plan, row[at - 1], seat) <= gap);
  });
}

/**
 * Around a solid section: along its first row, the rows' last seats, back along its last row and the rows' first seats.
 * @param {Places} plan
 * @param {Uint32Array[]} rows
 * @param {Strokes} path
 */
function surround({ x, y, r }, rows, path) {
  const [first, last] = [rows[0], rows[rows.length - 1]];
  const sides = [
    first,
    Uint32Array.from(rows, (row) => row[row.length - 1]),
    last.slice().reverse(),
    Uint32Array.from(rows, (row) => row[0]).reverse(),
  ];
  path.moveTo(x[first[0]], y[first[0]]);
  for (const side of sides) corners(x, y, side, 0, side.length - 1, r[first[0]] * LOOSE, path);
}

/**
 * A row's line into `path`, with as few corners as it takes.
 * @param {Places} plan
 * @param {Uint32Array} ordinals
 * @param {Strokes} path
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
 * @param {Places} plan
 * @param {Uint32Array} run
 * @param {Strokes} path
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
 * @param {Strokes} path
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
 * @param {Places} plan
 * @param {Uint32Array} row
 * @param {Uint32Array} next
 * @param {number} most plan units
 * @param {Strokes} path
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
 * @param {Places} plan
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
 * @param {Places} plan
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
 * @param {Places} plan
 * @param {Uint32Array} ordinals
 */
function usualGap(plan, ordinals) {
  const gaps = [];
  for (let i = 1; i < ordinals.length; i += 1) gaps.push(far(plan, ordinals[i - 1], ordinals[i]));
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? 0;
}

/**
 * @param {Places} plan
 * @param {number} a
 * @param {number} b
 */
const far = ({ x, y }, a, b) => Math.hypot(x[a] - x[b], y[a] - y[b]);

/**
 * The middle of all seats, or the seat nearest to it where it lies outside of the section.
 * @param {Places} plan
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

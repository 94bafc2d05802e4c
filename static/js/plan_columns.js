// A seat plan as it comes -> the typed arrays that map and list read. Pure, and without the page: a worker runs it too.

/**
 * What a plan is made of. Positions are plan units; `rowSeats` has the ordinals row after row, `rowStarts` where each
 * row begins in it, with one entry more at the end.
 * @typedef {object} PlanArrays
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {number} size how many seats
 * @property {Api.PlanCategory[]} categories
 * @property {string[]} zones
 * @property {unknown[]} areas
 * @property {Api.PlanLabel[]} rowLabels
 * @property {Float32Array<ArrayBuffer>} x
 * @property {Float32Array<ArrayBuffer>} y
 * @property {Float32Array<ArrayBuffer>} r
 * @property {Uint8Array<ArrayBuffer>} category
 * @property {Uint8Array<ArrayBuffer>} accessible
 * @property {Uint16Array<ArrayBuffer>} zoneOf
 * @property {Uint32Array<ArrayBuffer>} rowOf
 * @property {Uint32Array<ArrayBuffer>} number index in `numbers`
 * @property {string[]} numbers
 * @property {string[]} rowNames
 * @property {Uint16Array<ArrayBuffer>} rowZones
 * @property {Uint32Array<ArrayBuffer>} rowSeats
 * @property {Uint32Array<ArrayBuffer>} rowStarts
 * @property {ArrayBuffer} [tree] of the seats' places (seat_map/seat_index.js)
 * @property {import("./plan_measures.js").Measures} [measures]
 */

const FORMAT = 1;

/**
 * Of GET .../plan/columns (docs/plan-columns.md). Throws for a format that this page does not know.
 * @param {Api.PlanColumns} body
 * @returns {PlanArrays}
 */
export function fromColumns(body) {
  if (body.format !== FORMAT) throw new Error(`a plan of format ${body.format}`);
  const { unit, seats: size, lines, numbers } = body;
  const rowNames = sums(lines.row).map((index) => body.rows[index]);
  const rowOf = new Uint32Array(size);
  const zoneOf = new Uint16Array(size);
  const rows = new Rows();
  let at = 0;
  lines.seats.forEach((count, line) => {
    const zone = lines.zone[line];
    rowOf.fill(rows.of(zone, rowNames[line]), at, at + count);
    zoneOf.fill(zone, at, at + count);
    at += count;
  });
  const accessible = new Uint8Array(size);
  for (const ordinal of sums(body.accessible)) accessible[ordinal] = 1;
  const [labelX, labelY] = [sums(body.row_labels.x), sums(body.row_labels.y)];
  return {
    name: body.name,
    width: body.width,
    height: body.height,
    size,
    categories: body.categories,
    zones: body.zones,
    areas: body.areas,
    rowLabels: body.row_labels.text.map((text, i) => ({ text, x: labelX[i] * unit, y: labelY[i] * unit })),
    x: lengths(sums(sums(body.x)), unit),
    y: lengths(sums(sums(body.y)), unit),
    r: spread(body.radius, new Float32Array(size), unit),
    category: spread(body.category, new Uint8Array(size)),
    accessible,
    zoneOf,
    rowOf,
    number: Uint32Array.from(sums(body.number)),
    numbers,
    ...rows.parts(rowOf),
  };
}

/**
 * Of GET .../plan, or of a plan that is checked: a seat at a time.
 * @param {Api.Plan} body
 * @returns {PlanArrays}
 */
export function fromSeats(body) {
  const size = body.seats.length;
  const zones = new Map(body.zones.map((name, index) => [name, index]));
  const categories = new Map(body.categories.map((category, index) => [category.name, index]));
  const rows = new Rows();
  const parts = {
    x: new Float32Array(size),
    y: new Float32Array(size),
    r: new Float32Array(size),
    category: new Uint8Array(size),
    accessible: new Uint8Array(size),
    zoneOf: new Uint16Array(size),
    rowOf: new Uint32Array(size),
    number: new Uint32Array(size),
  };
  for (const seat of body.seats) {
    const i = seat.ordinal;
    const zone = zones.get(seat.zone) ?? 0;
    parts.x[i] = seat.x;
    parts.y[i] = seat.y;
    parts.r[i] = seat.r;
    parts.category[i] = categories.get(seat.category) ?? 0;
    parts.accessible[i] = seat.accessible ? 1 : 0;
    parts.zoneOf[i] = zone;
    parts.rowOf[i] = rows.of(zone, seat.row);
    parts.number[i] = i;
  }
  const { name, width, height, areas } = body;
  return {
    name,
    width,
    height,
    size,
    categories: body.categories,
    zones: body.zones,
    areas,
    rowLabels: body.row_labels,
    ...parts,
    numbers: body.seats.map((seat) => seat.number),
    ...rows.parts(parts.rowOf),
  };
}

/**
 * Everything in `parts` that can be handed from a worker to its page without a copy.
 * @param {PlanArrays} parts
 */
export function buffers({ x, y, r, category, accessible, zoneOf, rowOf, number, rowZones, rowSeats, rowStarts, tree }) {
  const views = [x, y, r, category, accessible, zoneOf, rowOf, number, rowZones, rowSeats, rowStarts];
  return [...views.map((view) => view.buffer), ...(tree ? [tree] : [])];
}

/** Rows by zone and name, in the order in which they come first. */
class Rows {
  constructor() {
    /** @type {Map<string, number>} */
    this.index = new Map();
    /** @type {string[]} */
    this.names = [];
    /** @type {number[]} */
    this.zones = [];
  }

  /**
   * @param {number} zone
   * @param {string} name
   */
  of(zone, name) {
    const key = `${zone}\u0000${name}`;
    let row = this.index.get(key);
    if (row === undefined) {
      row = this.names.push(name) - 1;
      this.zones.push(zone);
      this.index.set(key, row);
    }
    return row;
  }

  /** @param {Uint32Array} rowOf */
  parts(rowOf) {
    const rowStarts = new Uint32Array(this.names.length + 1);
    for (const row of rowOf) rowStarts[row + 1] += 1;
    for (let row = 0; row < this.names.length; row += 1) rowStarts[row + 1] += rowStarts[row];
    const next = rowStarts.slice();
    const rowSeats = new Uint32Array(rowOf.length);
    rowOf.forEach((row, ordinal) => {
      rowSeats[next[row]] = ordinal;
      next[row] += 1;
    });
    return { rowNames: this.names, rowZones: Uint16Array.from(this.zones), rowSeats, rowStarts };
  }
}

/** Values of their differences. @param {number[]} differences */
function sums(differences) {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
}

/**
 * @param {number[]} steps
 * @param {number} unit
 */
const lengths = (steps, unit) => Float32Array.from(steps, (step) => step * unit);

/**
 * Runs (value, count, value, count, ...) into `target`.
 * @template {Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>} Target
 * @param {number[]} runs
 * @param {Target} target
 * @param {number} [unit]
 */
function spread(runs, target, unit = 1) {
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    target.fill(runs[i] * unit, at, at + runs[i + 1]);
    at += runs[i + 1];
  }
  return target;
}

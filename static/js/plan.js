// A seat plan in typed arrays: what map and list read 60 times a second.

/**
 * Built from GET /api/events/{slug}/plan. Positions are plan units. `zones[z]` has its rows in the plan's order,
 * each with its seats' ordinals in the order in which they stand.
 *
 * @typedef {{name: string, index: number, rows: number[], count: number, box: Geometry.Box}} Zone
 * @typedef {{name: string, zone: number, index: number, seats: number[]}} Row
 *
 * An area's geometry is relative to its position (core/venue/seat_plan.py).
 * @typedef {object} Area
 * @property {"rectangle" | "polygon" | "circle" | "ellipse" | "text"} shape
 * @property {number} x
 * @property {number} y
 * @property {number} rotation degrees
 * @property {string} [color]
 * @property {string} [text]
 * @property {number} text_x
 * @property {number} text_y
 * @property {number} text_size
 * @property {{width?: number, height?: number, radius?: number, rx?: number, ry?: number, points?: [number, number][]}} geometry
 */
export class Plan {
  /** @param {Api.Plan} body */
  constructor(body) {
    const count = body.seats.length;
    this.name = body.name;
    this.size = count;
    this.width = body.width;
    this.height = body.height;
    this.areas = /** @type {Area[]} */ (body.areas);
    this.rowLabels = body.row_labels;
    this.categories = body.categories;
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    this.r = new Float32Array(count);
    this.category = new Uint8Array(count);
    this.zoneOf = new Uint16Array(count);
    this.rowOf = new Uint32Array(count);
    this.accessible = new Uint8Array(count);
    /** @type {string[]} */
    this.numbers = new Array(count);
    /** @type {Zone[]} */
    this.zones = body.zones.map((name, index) => ({ name, index, rows: [], count: 0, box: emptyBox() }));
    /** @type {Row[]} */
    this.rows = [];
    const zoneIndex = new Map(body.zones.map((name, index) => [name, index]));
    const categoryIndex = new Map(body.categories.map((category, index) => [category.name, index]));
    /** @type {Map<string, number>} */
    const rowIndex = new Map();
    for (const seat of body.seats) {
      const i = seat.ordinal;
      this.x[i] = seat.x;
      this.y[i] = seat.y;
      this.r[i] = seat.r;
      this.category[i] = categoryIndex.get(seat.category) ?? 0;
      this.accessible[i] = seat.accessible ? 1 : 0;
      this.numbers[i] = seat.number;
      const zone = this.zones[zoneIndex.get(seat.zone) ?? 0];
      this.zoneOf[i] = zone.index;
      zone.count += 1;
      grow(zone.box, seat.x, seat.y, seat.r);
      const key = `${zone.index}\u0000${seat.row}`;
      let row = rowIndex.get(key);
      if (row === undefined) {
        row = this.rows.length;
        rowIndex.set(key, row);
        this.rows.push({ name: seat.row, zone: zone.index, index: row, seats: [] });
        zone.rows.push(row);
      }
      this.rows[row].seats.push(i);
      this.rowOf[i] = row;
    }
    this.zones = this.zones.filter((zone) => zone.count > 0 || zoneIndex.size === 1);
    this.zoneByIndex = new Map(this.zones.map((zone) => [zone.index, zone]));
    this.box = boundsOf(this);
  }

  /**
   * What is said about a seat.
   * @param {number} ordinal
   */
  seat(ordinal) {
    const category = this.categories[this.category[ordinal]];
    return {
      ordinal,
      zone: this.zoneByIndex.get(this.zoneOf[ordinal])?.name ?? "",
      row: this.rows[this.rowOf[ordinal]].name,
      number: this.numbers[ordinal],
      category: category.name,
      color: category.color,
      price: category.price,
      accessible: this.accessible[ordinal] === 1,
    };
  }

  /** @param {readonly number[]} ordinals */
  total(ordinals) {
    let sum = 0;
    for (const ordinal of ordinals) sum += this.categories[this.category[ordinal]].price ?? 0;
    return sum;
  }
}

/** @returns {Geometry.Box} */
function emptyBox() {
  return { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
}

/**
 * @param {Geometry.Box} box
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
function grow(box, x, y, r) {
  box.minX = Math.min(box.minX, x - r);
  box.minY = Math.min(box.minY, y - r);
  box.maxX = Math.max(box.maxX, x + r);
  box.maxY = Math.max(box.maxY, y + r);
}

/** @param {Plan} plan */
function boundsOf(plan) {
  const box = emptyBox();
  for (let i = 0; i < plan.size; i += 1) grow(box, plan.x[i], plan.y[i], plan.r[i]);
  for (const area of plan.areas) for (const [x, y] of outline(area)) grow(box, x, y, 0);
  for (const label of plan.rowLabels) grow(box, label.x, label.y, 8);
  if (box.minX > box.maxX) return { minX: 0, minY: 0, maxX: plan.width || 1, maxY: plan.height || 1 };
  return box;
}

/**
 * Corners of a box around an area, turned with it; absolute.
 * @param {Area} area
 */
function outline({ shape, x, y, rotation, geometry: g }) {
  /** @type {[number, number][]} */
  let corners = [[0, 0]];
  if (shape === "rectangle")
    corners = [
      [0, 0],
      [g.width ?? 0, 0],
      [g.width ?? 0, g.height ?? 0],
      [0, g.height ?? 0],
    ];
  else if (shape === "polygon") corners = g.points ?? corners;
  else if (shape === "circle" || shape === "ellipse") {
    const rx = g.rx ?? g.radius ?? 0;
    const ry = g.ry ?? g.radius ?? 0;
    corners = [
      [-rx, -ry],
      [rx, -ry],
      [rx, ry],
      [-rx, ry],
    ];
  }
  const angle = (rotation * Math.PI) / 180;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  return corners.map(([cx, cy]) => [x + cx * cos - cy * sin, y + cx * sin + cy * cos]);
}

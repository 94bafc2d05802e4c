// A seat plan in typed arrays: what map and list read 60 times a second.
import { marks } from "./categories.js";
import { measuresOf } from "./plan_measures.js";

/**
 * Positions are plan units. `zones[z]` has its rows in the plan's order, each with its seats' ordinals in the order in
 * which they stand.
 *
 * @typedef {{name: string, index: number, rows: number[], count: number, box: Geometry.Box}} Zone
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

class Row {
  /**
   * @param {string} name
   * @param {number} zone
   * @param {number} index
   * @param {import("./plan_columns.js").PlanArrays} parts
   */
  constructor(name, zone, index, parts) {
    this.name = name;
    this.zone = zone;
    this.index = index;
    this.parts = parts;
    /** @type {number[] | null} */
    this.list = null;
  }

  /** Their ordinals. Of thousands of rows the list shows one. */
  get seats() {
    const { rowSeats, rowStarts } = this.parts;
    this.list ??= Array.from(rowSeats.subarray(rowStarts[this.index], rowStarts[this.index + 1]));
    return this.list;
  }
}

export class Plan {
  /** @param {import("./plan_columns.js").PlanArrays} parts */
  constructor(parts) {
    this.name = parts.name;
    this.size = parts.size;
    this.width = parts.width;
    this.height = parts.height;
    this.areas = /** @type {Area[]} */ (parts.areas);
    this.rowLabels = parts.rowLabels;
    this.categories = parts.categories;
    this.marks = marks(parts.categories);
    this.x = parts.x;
    this.y = parts.y;
    this.r = parts.r;
    this.category = parts.category;
    this.zoneOf = parts.zoneOf;
    this.rowOf = parts.rowOf;
    this.accessible = parts.accessible;
    this.number = parts.number;
    this.numbers = parts.numbers;
    this.tree = parts.tree ?? null;
    /** Whether it is seen from its side: `turned`. */
    this.onItsSide = false;
    this.measures = parts.measures ?? measuresOf(parts);
    const { boxes, kinds } = this.measures;
    const several = parts.categories.length;
    /** @type {Zone[]} */
    const zones = parts.zones.map((name, index) => {
      const [minX, minY, maxX, maxY] = boxes.subarray(4 * index, 4 * index + 4);
      const count = kinds.subarray(index * several, (index + 1) * several).reduce((sum, seats) => sum + seats, 0);
      return { name, index, rows: [], count, box: { minX, minY, maxX, maxY } };
    });
    this.rows = parts.rowNames.map((name, index) => {
      const zone = zones[parts.rowZones[index]];
      zone.rows.push(index);
      return new Row(name, zone.index, index, parts);
    });
    this.zones = zones.filter((zone) => zone.count > 0 || zones.length === 1);
    this.zoneByIndex = new Map(this.zones.map((zone) => [zone.index, zone]));
    this.hasAccessible = this.accessible.includes(1);
    this.box = boundsOf(this);
  }

  /** The same hall a quarter turned to the left, so that a wide one stands upright; seats keep their ordinals. */
  turned() {
    /** @type {Plan} */
    const plan = Object.create(Plan.prototype, Object.getOwnPropertyDescriptors(this));
    plan.onItsSide = true;
    plan.x = this.y;
    plan.y = this.x.map((x) => -x);
    plan.areas = this.areas.map((area) => ({
      ...area,
      x: area.y,
      y: -area.x,
      rotation: area.rotation - 90,
      // A text's place is turned with its area.
      text_x: area.y + area.text_x - area.x,
      text_y: -area.x + area.text_y - area.y,
    }));
    plan.rowLabels = this.rowLabels.map(({ text, x, y }) => ({ text, x: y, y: -x }));
    plan.zones = this.zones.map((zone) => ({ ...zone, box: turnedBox(zone.box) }));
    plan.zoneByIndex = new Map(plan.zones.map((zone) => [zone.index, zone]));
    plan.box = turnedBox(this.box);
    return plan;
  }

  /** @param {number} ordinal */
  numberOf(ordinal) {
    return this.numbers[this.number[ordinal]];
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
      number: this.numberOf(ordinal),
      category: category.name,
      mark: this.marks[this.category[ordinal]],
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

/** @param {Geometry.Box} box @returns {Geometry.Box} */
function turnedBox({ minX, minY, maxX, maxY }) {
  return { minX: minY, minY: -maxX, maxX: maxY, maxY: -minX };
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
  const box = { minX: Infinity, minY: Infinity, maxX: -Infinity, maxY: -Infinity };
  for (const { box: one } of plan.zones) {
    grow(box, one.minX, one.minY, 0);
    grow(box, one.maxX, one.maxY, 0);
  }
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

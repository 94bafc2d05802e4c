// What is left of each section, from what price, and in which categories: for map and list.
import { AVAILABLE } from "./board.js";

const FEW = 0.15; // of a section's seats: less is told apart

/** @typedef {"many" | "few" | "none"} Level */
/**
 * `from`: the cheapest free seat's price, minor units, null when nothing is to be had; `marks`: letters of the categories
 * that are to be had; `category`: the one that most of its seats are of.
 * @typedef {{zone: Sale.Zone, free: number, from: number | null, marks: string[], category: number, level: Level}} Counted
 */

export class SectionCounts {
  /** @param {Sale.Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.kinds = plan.categories.length;
    this.seats = plan.measures.kinds; // by zone, then category
    this.left = new Uint32Array(this.seats.length);
  }

  /** @param {number} ordinal */
  #slot(ordinal) {
    return this.plan.zoneOf[ordinal] * this.kinds + this.plan.category[ordinal];
  }

  /**
   * One for each of the plan's zones, in their order.
   * @param {Uint8Array} states
   * @param {ReadonlySet<number> | null} filter categories that count, null for all
   * @returns {Counted[]}
   */
  count(states, filter) {
    this.left.fill(0);
    for (let i = 0; i < states.length; i += 1) if (states[i] === AVAILABLE) this.left[this.#slot(i)] += 1;
    return this.plan.zones.map((zone) => this.#counted(zone, filter));
  }

  /**
   * @param {Sale.Zone} zone
   * @param {ReadonlySet<number> | null} filter
   * @returns {Counted}
   */
  #counted(zone, filter) {
    const { categories, marks } = this.plan;
    let [free, all, most, category] = [0, 0, -1, 0];
    /** @type {number | null} */
    let from = null;
    const letters = [];
    for (let kind = 0; kind < this.kinds; kind += 1) {
      const slot = zone.index * this.kinds + kind;
      const { price } = categories[kind];
      if (this.seats[slot] === 0) continue;
      if (this.seats[slot] > most) [most, category] = [this.seats[slot], kind];
      if (filter !== null && !filter.has(kind)) continue;
      all += this.seats[slot];
      if (price === null || this.left[slot] === 0) continue;
      free += this.left[slot];
      from = Math.min(from ?? price, price);
      if (marks[kind]) letters.push(marks[kind]);
    }
    return {
      zone,
      free,
      from,
      marks: letters,
      category,
      level: free === 0 ? "none" : free < all * FEW ? "few" : "many",
    };
  }
}

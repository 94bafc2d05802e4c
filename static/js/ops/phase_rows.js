// Parts of a sale as a form has them: texts in the event's zone, and what the API takes. No page in here.
import { isPartName } from "./event_texts.js";
import { fieldOf, LIMITS, momentOf } from "./sale_fields.js";

/** @typedef {{name: string, opens_at: string, closes_at: string, prequeue_seconds: string, code_group: string, quota: string, max_seats: string, kept: Partial<Api.PhaseSettings>}} Row */

export const MOST_PHASES = 20; // core/venue/phase.py
const MOST_QUOTA = 1_000_000;

/** @returns {Row} */
export const emptyRow = () => ({
  name: "",
  opens_at: "",
  closes_at: "",
  prequeue_seconds: "900",
  code_group: "",
  quota: "",
  max_seats: "",
  kept: {},
});

/**
 * @param {Api.PhaseSettings[]} phases
 * @param {string} zone
 * @returns {Row[]}
 */
export const rowsOf = (phases, zone) =>
  phases.map((phase) => ({
    name: phase.name,
    opens_at: fieldOf(phase.opens_at, zone),
    closes_at: fieldOf(phase.closes_at, zone),
    prequeue_seconds: String(phase.prequeue_seconds),
    code_group: phase.code_group ?? "",
    quota: phase.quota === null ? "" : String(phase.quota),
    max_seats: phase.max_seats === null ? "" : String(phase.max_seats),
    kept: phase,
  }));

/**
 * To be called when nothing is wrong. A time that was not touched stays as it was, to the second.
 * @param {Row[]} rows
 * @param {string} zone
 * @returns {Api.PhaseOf[]}
 */
export const phasesOf = (rows, zone) =>
  rows.map(({ name, opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats, kept }) => ({
    name: name.trim(),
    opens_at: untouched(kept.opens_at, opens_at, zone) ?? "",
    closes_at: untouched(kept.closes_at, closes_at, zone),
    prequeue_seconds: Number(prequeue_seconds),
    code_group: code_group.trim() || null,
    quota: quota.trim() ? Number(quota) : null,
    max_seats: max_seats.trim() ? Number(max_seats) : null,
  }));

/**
 * @param {string | null | undefined} before
 * @param {string} text
 * @param {string} zone
 */
const untouched = (before, text, zone) => (before && fieldOf(before, zone) === text ? before : momentOf(text, zone));

/**
 * Which fields are wrong: "0.name", "1.closes_at".
 * @param {Row[]} rows
 * @param {string} zone
 * @returns {Set<string>}
 */
export function phaseFaults(rows, zone) {
  /** @type {Set<string>} */
  const wrong = new Set();
  const names = new Set();
  for (const [index, row] of rows.entries()) {
    const name = row.name.trim();
    if (!isPartName(name) || names.has(name)) wrong.add(`${index}.name`);
    names.add(name);
    if (row.code_group.trim() && !isPartName(row.code_group.trim())) wrong.add(`${index}.code_group`);
    const opens = momentOf(row.opens_at, zone);
    const closes = momentOf(row.closes_at, zone);
    if (!opens) wrong.add(`${index}.opens_at`);
    if (row.closes_at && (!closes || (opens && closes <= opens))) wrong.add(`${index}.closes_at`);
    if (!isNumber(row.prequeue_seconds, 0, LIMITS.prequeue_seconds)) wrong.add(`${index}.prequeue_seconds`);
    if (row.quota.trim() && !isNumber(row.quota, 1, MOST_QUOTA)) wrong.add(`${index}.quota`);
    if (row.max_seats.trim() && !isNumber(row.max_seats, 1, LIMITS.max_seats)) wrong.add(`${index}.max_seats`);
  }
  return wrong;
}

/**
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function isNumber(text, least, most) {
  const value = /^\d{1,7}$/.test(text.trim()) ? Number(text) : NaN;
  return value >= least && value <= most;
}

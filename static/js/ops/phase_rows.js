// Parts of a sale as a form has them: texts in the event's zone, and what the API takes. No page in here.
import { isPartName } from "./event_texts.js";
import { fieldOf, momentOf } from "./sale_fields.js";

/** @typedef {{name: string, opens_at: string, closes_at: string, code_group: string, quota: string, kept: Partial<Api.PhaseSettings>}} Row */

export const MOST_PHASES = 20; // core/venue/phase.py
const MOST_QUOTA = 1_000_000;

/** @returns {Row} */
export const emptyRow = () => ({ name: "", opens_at: "", closes_at: "", code_group: "", quota: "", kept: {} });

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
    code_group: phase.code_group ?? "",
    quota: phase.quota === null ? "" : String(phase.quota),
    kept: phase,
  }));

/**
 * To be called when nothing is wrong. What a row does not show stays as it was; a time that was not touched as well, to
 * the second.
 * @param {Row[]} rows
 * @param {string} zone
 * @returns {Api.PhaseOf[]}
 */
export const phasesOf = (rows, zone) =>
  rows.map(({ name, opens_at, closes_at, code_group, quota, kept }) => ({
    name: name.trim(),
    opens_at: untouched(kept.opens_at, opens_at, zone) ?? "",
    closes_at: untouched(kept.closes_at, closes_at, zone),
    prequeue_seconds: kept.prequeue_seconds ?? 0,
    code_group: code_group.trim() || null,
    quota: quota.trim() ? Number(quota) : null,
    max_seats: kept.max_seats ?? null,
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
    const quota = row.quota.trim();
    if (quota && !(/^\d{1,7}$/.test(quota) && Number(quota) >= 1 && Number(quota) <= MOST_QUOTA))
      wrong.add(`${index}.quota`);
  }
  return wrong;
}

// Parts of a sale as a form has them: texts in the event's zone, and what the API takes. No page in here.
import { isPartName } from "./event_texts.js";
import { fieldOf, LIMITS, momentOf, momentsOf } from "./sale_fields.js";

/**
 * `chosen`: of times that come twice, whether the second is meant; `incomplete`: times that are typed half; `kept`: as the
 * server has it.
 * @typedef {{name: string, opens_at: string, closes_at: string, prequeue_seconds: string, code_group: string, quota: string, max_seats: string, chosen: Map<string, boolean>, incomplete: Set<string>, kept: Partial<Api.PhaseSettings>}} Row
 */

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
  chosen: new Map(),
  incomplete: new Set(),
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
    chosen: new Map(
      TIMES.filter((name) => momentsOf(fieldOf(phase[name], zone), zone).length > 1).map((name) => [
        name,
        isSecond(phase[name], zone),
      ]),
    ),
    incomplete: new Set(),
    kept: phase,
  }));

const TIMES = /** @type {const} */ (["opens_at", "closes_at"]);

/**
 * @param {string | null | undefined} moment
 * @param {string} zone
 */
function isSecond(moment, zone) {
  const [, second] = moment ? momentsOf(fieldOf(moment, zone), zone) : [];
  return second !== undefined && Date.parse(moment ?? "") >= second.getTime();
}

/**
 * To be called when nothing is wrong. A time that was not touched stays as it was, to the second.
 * @param {Row[]} rows
 * @param {string} zone
 * @returns {Api.PhaseOf[]}
 */
export const phasesOf = (rows, zone) =>
  rows.map(({ name, opens_at, closes_at, prequeue_seconds, code_group, quota, max_seats, chosen, kept }) => ({
    name: name.trim(),
    opens_at: untouched(kept.opens_at, opens_at, zone, chosen.get("opens_at")) ?? "",
    closes_at: untouched(kept.closes_at, closes_at, zone, chosen.get("closes_at")),
    prequeue_seconds: Number(prequeue_seconds),
    code_group: code_group.trim() || null,
    quota: quota.trim() ? Number(quota) : null,
    max_seats: max_seats.trim() ? Number(max_seats) : null,
  }));

/**
 * @param {string | null | undefined} before
 * @param {string} text
 * @param {string} zone
 * @param {boolean} [second]
 */
const untouched = (before, text, zone, second = false) =>
  before && fieldOf(before, zone) === text && isSecond(before, zone) === second ? before : momentOf(text, zone, second);

/**
 * What is wrong with each row: field -> key of its sentence (`ops.field.wrong.<key>`).
 * @param {Row[]} rows
 * @param {string} zone
 * @returns {Map<string, string>[]}
 */
export function phaseFaults(rows, zone) {
  const names = new Set();
  return rows.map((row) => {
    /** @type {Map<string, string>} */
    const wrong = new Map();
    const name = row.name.trim();
    if (!isPartName(name) || names.has(name)) wrong.set("name", "phase_name");
    names.add(name);
    for (const time of TIMES) {
      const fault = faultOfTime(row, time, zone);
      if (fault) wrong.set(time, fault);
    }
    const [opens, closes] = TIMES.map((time) => momentOf(row[time], zone, row.chosen.get(time)));
    if (opens && closes && closes <= opens && !wrong.has("closes_at")) wrong.set("closes_at", "phase_closes_at");
    if (!isNumber(row.prequeue_seconds, 0, LIMITS.prequeue_seconds)) wrong.set("prequeue_seconds", "prequeue_seconds");
    if (row.code_group.trim() && !isPartName(row.code_group.trim())) wrong.set("code_group", "code_group");
    if (row.quota.trim() && !isNumber(row.quota, 1, MOST_QUOTA)) wrong.set("quota", `phase_quota:${MOST_QUOTA}`);
    if (row.max_seats.trim() && !isNumber(row.max_seats, 1, LIMITS.max_seats)) wrong.set("max_seats", "max_seats");
    return wrong;
  });
}

/**
 * @param {Row} row
 * @param {typeof TIMES[number]} time
 * @param {string} zone
 */
function faultOfTime(row, time, zone) {
  if (row.incomplete.has(time)) return "time";
  if (!row[time]) return time === "opens_at" ? "phase_opens_at" : null;
  const moments = momentsOf(row[time], zone);
  if (!moments.length) return "time_left_out";
  return moments.length > 1 && !row.chosen.has(time) ? "time_twice" : null;
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

// What the form of a sale asks for: how texts become what the API takes, and what is wrong with them. No page in here.
import { Refusal } from "../api.js";
import { decimals, knownCurrencies } from "../i18n.js";
import { faultOfText, TEXTS } from "./event_texts.js";

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const GROUPED = /^\d{1,3}(,\d{3})+(\.\d+)?$/;
const MOST_PRICE = 10 ** 12; // in the minor unit: core/venue/new_event.py

/** Field -> most; the least is 1, of what may be left out 0. As in core/venue/new_event.py. */
export const LIMITS = {
  active_limit: 1_000_000,
  hold_seconds: 86_400,
  max_seats: 100,
  prequeue_seconds: 604_800,
  companions: 3,
};
const MAY_BE_NONE = new Set(["prequeue_seconds", "companions"]);
const MOST_PLACE = 1e7;
export const TIMES = ["opens_at", "closes_at", "starts_at"];

/**
 * "Nacht der Bücher 2026!" -> "nacht-der-bucher-2026"; empty when nothing of it can stand in an address.
 * @param {string} name
 */
export function slugOf(name) {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ß", "ss");
  return plain
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 64)
    .replace(/^-+|-+$/g, "");
}

/**
 * A price as it is typed -> the currency's minor unit: "15,000", "KRW" -> 15000; "12.5", "EUR" -> 1250. NaN: no price.
 * @param {string} text
 * @param {string} currency
 */
export function minorOf(text, currency) {
  if (!knownCurrencies().includes(currency)) return NaN;
  const typed = text.trim();
  const plain = GROUPED.test(typed) ? typed.replaceAll(",", "") : typed;
  const [, whole, part = ""] = /^(\d{1,13})(?:\.(\d+))?$/.exec(plain) ?? [];
  const digits = decimals(currency);
  if (whole === undefined || part.length > digits) return NaN;
  const amount = Number(whole + part.padEnd(digits, "0"));
  return amount <= MOST_PRICE ? amount : NaN;
}

/**
 * What is wrong with a price as it is typed: "price_digits:EUR:2" and "price_whole:KRW" name the currency's rule.
 * @param {string} text
 * @param {string} currency
 */
function faultOfPrice(text, currency) {
  if (!Number.isNaN(minorOf(text, currency))) return null;
  if (!knownCurrencies().includes(currency)) return "price";
  const plain = text.trim().replaceAll(",", "");
  const digits = decimals(currency);
  if (/^\d+(\.\d*)?$/.test(plain) && Number(plain) > MOST_PRICE / 10 ** digits)
    return `price_large:${MOST_PRICE / 10 ** digits}:${currency}`;
  return digits ? `price_digits:${currency}:${digits}` : `price_whole:${currency}`;
}

/** The reader's own zone. */
export const OWN_ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/**
 * As the server takes it (core/venue/event_time.py): UTC, or an area and a city, spelt as IANA does.
 * @param {string} zone
 */
export function isZone(zone) {
  if (!/^UTC$|^(?!Etc\/)[A-Z]\w+\//.test(zone)) return false;
  try {
    const known = new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
    return known === zone || known.toLowerCase() !== zone.toLowerCase(); // else an older name of the same zone
  } catch {
    return false;
  }
}

/**
 * The moment as the clocks of `zone` show it: what a `datetime-local` field takes, to the minute.
 * @param {string | Date | null} moment
 * @param {string} zone
 */
export function fieldOf(moment, zone) {
  if (!moment) return "";
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  }).formatToParts(new Date(moment));
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year.padStart(4, "0")}-${of.month}-${of.day}T${of.hour}:${of.minute}`;
}

const HOUR = 3600_000;

/**
 * The moments at which the clocks of `zone` show what a `datetime-local` field holds: none in the hour that is left out
 * in spring, two in the one that comes twice in autumn, else one.
 * @param {string} value
 * @param {string} zone
 * @returns {Date[]}
 */
export function momentsOf(value, zone) {
  if (!value || !isZone(zone)) return [];
  const wall = Date.parse(`${value.slice(0, 16)}Z`);
  const near = [-26, -13, 0, 13, 26].map((hours) => wall + hours * HOUR);
  // What the zone is ahead of UTC around that time: two values where the clocks are changed.
  const ahead = new Set(near.map((at) => Date.parse(`${fieldOf(new Date(at), zone)}Z`) - at));
  return [...ahead]
    .map((offset) => new Date(wall - offset))
    .filter((moment) => fieldOf(moment, zone) === value.slice(0, 16))
    .sort((a, b) => a.getTime() - b.getTime());
}

/**
 * What a field of a form means -> ISO 8601 in UTC; null when it is empty or means nothing. `second`: of a time that
 * comes twice, the later one.
 * @param {string | undefined} value
 * @param {string} zone
 */
export function momentOf(value, zone, second = false) {
  const moments = value ? momentsOf(value, zone) : [];
  return moments.at(second ? -1 : 0)?.toISOString() ?? null;
}

/**
 * "300, 650.5" -> a place in plan units; null: the plan says; undefined: it is none.
 * @param {string} text
 * @returns {[number, number] | null | undefined}
 */
export function focusOf(text) {
  if (!text.trim()) return null;
  const [, x, y] = /^\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text) ?? [];
  const place = /** @type {[number, number]} */ ([Number(x), Number(y)]);
  return x !== undefined && place.every((one) => Math.abs(one) <= MOST_PLACE) ? place : undefined;
}

/** @param {[number, number] | null} focus */
export const focusText = (focus) => focus?.join(", ") ?? "";

const MOST_HOURS = 24 * 366; // as in core/venue/fees.py
export const MOST_FEES = 20;

/**
 * The fee table as a form has it, a line each: "24=0", "6=50".
 * @param {Api.FeeLineOf[]} table
 */
export const feesText = (table) => table.map(({ hours, percent }) => `${hours}=${percent}`).join("\n");

/**
 * The lines of a form's fee table: what is typed for the hours and for the per cent.
 * @param {string} text
 * @returns {[string, string][]}
 */
export const feeRows = (text) =>
  text === ""
    ? []
    : text.split("\n").map((line) => {
        const [hours, percent = ""] = line.split("=");
        return [hours, percent];
      });

/**
 * What the API takes; to be called when no line is wrong.
 * @param {string} text
 */
export const feesOf = (text) =>
  feeRows(text).map(([hours, percent]) => ({ hours: Number(hours), percent: Number(percent) }));

/**
 * Which fields of the lines are wrong: "0.hours", "2.percent". The same hours may not come twice.
 * @param {string} text
 * @returns {Set<string>}
 */
export function feeFaults(text) {
  /** @type {Set<string>} */
  const wrong = new Set();
  const seen = new Set();
  for (const [index, [hours, percent]] of feeRows(text).entries()) {
    const before = /^\d{1,4}(\.\d{1,4})?$/.test(hours.trim()) ? Number(hours) : NaN;
    if (!(before <= MOST_HOURS) || seen.has(before)) wrong.add(`${index}.hours`);
    seen.add(before);
    if (!/^\d{1,3}$/.test(percent.trim()) || Number(percent) > 100) wrong.add(`${index}.percent`);
  }
  return wrong;
}

/**
 * What is wrong with the fields that a form has, all at once: field -> key of its sentence (`ops.field.wrong.<key>`).
 * `fields` holds texts by name; `prices` texts by category, with `categories` the names that need one; `incomplete` the
 * names of times that are typed half.
 * @param {Record<string, string>} fields
 * @param {{categories?: string[], prices?: Record<string, string>, labels?: Record<string, string>, incomplete?: Set<string>, chosen?: Map<string, boolean>}} more
 *   `chosen`: of times that come twice, whether the second is meant
 */
export function faults(
  fields,
  { categories = [], prices = {}, labels = {}, incomplete = new Set(), chosen = new Map() } = {},
) {
  /** @type {Map<string, string>} */
  const wrong = new Map();
  /** @param {string} name */
  const has = (name) => fields[name] !== undefined;
  for (const name of TEXTS) {
    const fault = has(name) ? faultOfText(name, fields[name]) : null;
    if (fault) wrong.set(name, fault);
  }
  if (has("slug") && !SLUG.test(fields.slug)) wrong.set("slug", "slug");
  if (has("currency") && !knownCurrencies().includes(fields.currency)) wrong.set("currency", "currency");
  const zone = fields.time_zone;
  if (has("time_zone") && !isZone(zone)) wrong.set("time_zone", "time_zone");
  for (const time of TIMES) {
    if (incomplete.has(time)) wrong.set(time, "time");
    if (!fields[time] || wrong.has("time_zone")) continue;
    const moments = momentsOf(fields[time], zone);
    if (moments.length === 0) wrong.set(time, "time_left_out");
    if (moments.length > 1 && !chosen.has(time)) wrong.set(time, "time_twice");
  }
  const [opens, closes] = ["opens_at", "closes_at"].map((time) => momentOf(fields[time], zone, chosen.get(time)));
  if (opens && closes && closes <= opens) wrong.set("closes_at", "closes_at");
  for (const [limit, most] of Object.entries(LIMITS)) {
    const least = MAY_BE_NONE.has(limit) ? 0 : 1;
    const value = /^\d{1,7}$/.test(fields[limit] ?? "") ? Number(fields[limit]) : NaN;
    if (has(limit) && !(value >= least && value <= most)) wrong.set(limit, limit);
  }
  if (has("focus") && focusOf(fields.focus) === undefined) wrong.set("focus", "focus");
  if (has("fees") && feeFaults(fields.fees).size) wrong.set("fees", "fees");
  // No price: the category is not for sale, as long as another one is.
  const priced = categories.filter((category) => (prices[category] ?? "").trim());
  for (const category of wrong.has("currency") ? [] : priced.length ? priced : categories) {
    const fault = faultOfPrice(prices[category] ?? "", fields.currency);
    if (fault) wrong.set(`prices.${category}`, fault);
  }
  for (const [category, fault] of labelFaults(categories, labels)) wrong.set(`labels.${category}`, fault);
  return wrong;
}

/**
 * Labels are names like others, and no two categories may be called the same.
 * @param {string[]} categories
 * @param {Record<string, string>} labels
 */
function labelFaults(categories, labels) {
  /** @type {Map<string, string>} */
  const wrong = new Map();
  const shown = categories.map((category) => (labels[category] ?? "").trim() || category);
  for (const [index, category] of categories.entries()) {
    const label = (labels[category] ?? "").trim();
    if (!label) continue;
    const fault = faultOfText("name", label);
    if (fault) wrong.set(category, fault);
    else if (shown.filter((one) => one === shown[index]).length > 1) wrong.set(category, "label_twice");
  }
  return wrong;
}

/**
 * The same of what the server says: only fields that `known` names; null when it speaks of something else.
 * @param {unknown} error
 * @param {Set<string>} known
 * @returns {Map<string, string> | null}
 */
export function refused(error, known) {
  if (!(error instanceof Refusal)) return null;
  if (error.code === "event_exists") return new Map([["slug", "taken"]]);
  const places = (error.data.errors ?? []).map(({ at }) => at);
  const wrong = new Map(
    places
      .map((at) => /^(?:fees|focus)(?=\W)/.exec(at)?.[0] ?? at)
      .filter((at) => known.has(at))
      .map((at) => [
        at,
        at.startsWith("prices.")
          ? "price"
          : at.startsWith("labels.")
            ? "label"
            : TIMES.includes(at) && at !== "closes_at"
              ? "time"
              : at,
      ]),
  );
  return wrong.size ? wrong : null;
}

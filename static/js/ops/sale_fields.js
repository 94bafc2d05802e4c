// What the form of a sale asks for: how texts become what the API takes, and what is wrong with them. No page in here.
import { Refusal } from "../api.js";
import { decimals, knownCurrencies } from "../i18n.js";

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const GROUPED = /^\d{1,3}(,\d{3})+(\.\d+)?$/;
const MOST_PRICE = 10 ** 12; // in the minor unit: core/venue/new_event.py

/** Field -> most; the least is 1. As in core/venue/new_event.py. */
export const LIMITS = { active_limit: 1_000_000, hold_seconds: 86_400, max_seats: 100 };
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
 * What a `datetime-local` field holds, a time of the reader's own zone, -> ISO 8601 in UTC; null when it is empty.
 * @param {string | undefined} value
 */
export const momentOf = (value) => (value ? new Date(value).toISOString() : null);

/**
 * ISO 8601 -> what a `datetime-local` field takes, to the minute.
 * @param {string | Date | null} moment
 */
export function fieldOf(moment) {
  if (!moment) return "";
  const date = new Date(moment);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/**
 * "Asia/Seoul (GMT+9)": the zone in which times are read and shown.
 * @param {string} language
 */
export function zone(language) {
  const format = new Intl.DateTimeFormat(language, { timeZoneName: "shortOffset" });
  const offset = format.formatToParts(new Date()).find(({ type }) => type === "timeZoneName")?.value;
  return `${format.resolvedOptions().timeZone} (${offset})`;
}

// As in core/venue/event_name.py.
const MOST_NAME = 200;
const REFUSED = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const SEEN = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;

/**
 * "name", or "name_character:U+202E:4" with the character and its place; null when nothing is wrong.
 * @param {string} name
 */
function faultOfName(name) {
  const found = REFUSED.exec(name);
  if (found) {
    const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `name_character:U+${code}:${[...name.slice(0, found.index)].length + 1}`;
  }
  return SEEN.test(name) && [...name.trim()].length <= MOST_NAME ? null : "name";
}

/**
 * What is wrong with the fields that a form has, all at once: field -> key of its sentence (`ops.field.wrong.<key>`).
 * `fields` holds texts by name; `prices` texts by category, with `categories` the names that need one; `incomplete` the
 * names of times that are typed half.
 * @param {Record<string, string>} fields
 * @param {{categories?: string[], prices?: Record<string, string>, incomplete?: Set<string>}} more
 */
export function faults(fields, { categories = [], prices = {}, incomplete = new Set() } = {}) {
  /** @type {Map<string, string>} */
  const wrong = new Map();
  /** @param {string} name */
  const has = (name) => fields[name] !== undefined;
  const nameFault = has("name") ? faultOfName(fields.name) : null;
  if (nameFault) wrong.set("name", nameFault);
  if (has("slug") && !SLUG.test(fields.slug)) wrong.set("slug", "slug");
  if (has("currency") && !knownCurrencies().includes(fields.currency)) wrong.set("currency", "currency");
  for (const time of TIMES) if (incomplete.has(time)) wrong.set(time, "time");
  const [opens, closes] = [momentOf(fields.opens_at), momentOf(fields.closes_at)];
  if (opens && closes && closes <= opens) wrong.set("closes_at", "closes_at");
  for (const [limit, most] of Object.entries(LIMITS)) {
    if (has(limit) && !(/^[1-9]\d{0,6}$/.test(fields[limit]) && Number(fields[limit]) <= most)) wrong.set(limit, limit);
  }
  for (const category of wrong.has("currency") ? [] : categories) {
    if (Number.isNaN(minorOf(prices[category] ?? "", fields.currency))) wrong.set(`prices.${category}`, "price");
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
      .filter((at) => known.has(at))
      .map((at) => [at, at.startsWith("prices.") ? "price" : TIMES.includes(at) && at !== "closes_at" ? "time" : at]),
  );
  return wrong.size ? wrong : null;
}

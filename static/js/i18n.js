// Texts, numbers, money and times in the page's language. The catalogue is the server's own (core/locale/*.po as
// JSON), so `t("code.seat_taken")` here and `_("code.seat_taken")` in a template are the same sentence.
import * as script from "../vendor/i18next/i18next.min.js";
import { untilAnswered } from "./backoff.js";

// A script that leaves a global in a page, and its exports in the bundle (`make static`).
/** @type {typeof import("i18next").default} */
const i18next = globalThis.i18next ?? /** @type {any} */ (script).default;
let language = "en";

const TIMEOUT = 15000; // milliseconds

/**
 * The texts of a file in `base`/i18n. Rejects when they cannot be fetched.
 * @param {string} name "en", "ops.ko"
 * @param {string} base
 * @returns {Promise<Record<string, string>>}
 */
export async function catalogue(name, base) {
  const response = await fetch(`${base}/i18n/${name}.json`, { signal: AbortSignal.timeout(TIMEOUT) });
  if (!response.ok) throw new Error(`catalogue ${name}: HTTP ${response.status}`);
  return response.json();
}

/**
 * Loads the catalogue of `code` ("en", "ko") from `base`/i18n, however often it has to be asked for: without words there
 * is nothing to show, and the page stays as the server drew it meanwhile.
 * @param {string} code
 * @param {string} base
 */
export async function load(code, base) {
  await use(code, await untilAnswered(() => catalogue(code, base)));
}

/**
 * Installs a catalogue that is at hand already.
 * @param {string} code
 * @param {Record<string, string>} messages
 */
export async function use(code, messages) {
  language = code;
  await i18next.init({
    lng: code,
    resources: { [code]: { translation: messages } },
    keySeparator: false,
    nsSeparator: false,
    returnEmptyString: false,
    // gettext's placeholders. lit-html escapes what it renders, so escaping here would do it twice.
    interpolation: { prefix: "%(", suffix: ")s", escapeValue: false },
  });
  texts.clear();
}

/** @typedef {Record<string, unknown>} Values what stands in a text's placeholders */

/**
 * The text of `key`; with `count` in `values` the plural form that goes with it.
 * @param {string} key
 * @param {Values} [values]
 * @returns {string}
 */
export const t = (key, values) => (values ? String(i18next.t(key, values)) : plain(key));

/** @type {Map<string, string>} */
const texts = new Map();

/**
 * A text without placeholders is looked up once: views ask for a dozen of them each time that they are drawn.
 * @param {string} key
 */
function plain(key) {
  let text = texts.get(key);
  if (text === undefined) texts.set(key, (text = String(i18next.t(key))));
  return text;
}

/**
 * Plain words for an error code or a reservation's reason; a general sentence for an unknown one.
 * @param {string | null} code
 */
export const reason = (code) => t(i18next.exists(`code.${code}`) ? `code.${code}` : "code.internal_error");

/**
 * The text of `key`; `otherwise` where the catalogue has none.
 * @param {string} key
 * @param {string} otherwise
 */
export const inWords = (key, otherwise) => (i18next.exists(key) ? t(key) : otherwise);

/**
 * Text with a count: `number` is the count as the language writes it.
 * @param {string} key
 * @param {number} count
 * @param {Values} values
 */
export const counted = (key, count, values = {}) => t(key, { count, number: number(count), ...values });

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * Made once: a hundred sections are put into words in one go.
 * @param {string} name
 * @param {Intl.NumberFormatOptions} [options]
 */
function formatter(name, options) {
  const key = `${language}/${name}`;
  let made = formats.get(key);
  if (!made) formats.set(key, (made = new Intl.NumberFormat(language, options)));
  return made;
}

/** @param {number} value */
export const number = (value) => formatter("number").format(value);

/** @type {Map<string, number>} */
const digitsOf = new Map();
/** @type {number | undefined} */
let otherwise;

/**
 * What the server says about currencies: code -> decimal places of the minor unit (ISO 4217). Engines' own tables differ
 * from it and from each other.
 * @param {Record<string, number>} table
 * @param {number} [others] of currencies that were withdrawn while their sales are kept: no new sale may have them
 */
export function learnCurrencies(table, others) {
  otherwise = others ?? otherwise;
  for (const [currency, digits] of Object.entries(table)) digitsOf.set(currency, digits);
}

/** The currencies that the server has told of. */
export const knownCurrencies = () => [...digitsOf.keys()];

/**
 * Decimal places of a currency's minor unit: 2 for EUR, 0 for KRW. Throws for one that the server has not told of.
 * @param {string} currency
 */
export function decimals(currency) {
  const digits = digitsOf.get(currency) ?? otherwise;
  if (digits === undefined) throw new RangeError(`the server has said nothing about ${currency}`);
  return digits;
}

/**
 * `amount` in the currency's minor unit: 1500, "EUR" -> "€15.00"; 15000, "KRW" -> "₩15,000".
 * @param {number} amount
 * @param {string} currency
 */
export function money(amount, currency) {
  const digits = decimals(currency);
  /** @type {Intl.NumberFormatOptions} */
  const options = {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  };
  return formatter(`${currency}/${digits}`, options).format(amount / 10 ** digits);
}

/**
 * A moment as the event's clocks show it, with the place, as the server writes it (core/languages.py):
 * "Saturday, 10 October 2026, 19:30 (Berlin)"; where that wall time comes twice, with its offset.
 * @param {string} value ISO 8601
 * @param {string} zone IANA's name
 */
export function moment(value, zone) {
  /** @type {Intl.DateTimeFormatOptions} */
  const format = {
    timeZone: zone,
    weekday: "long",
    year: "numeric",
    month: "long",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  };
  const wall = new Intl.DateTimeFormat(language, format);
  const at = Date.parse(value);
  const of = Object.fromEntries(wall.formatToParts(at).map((part) => [part.type, part.value]));
  const twice = BACK.some((shift) => [at - shift, at + shift].some((other) => wall.format(other) === wall.format(at)));
  const place = twice ? `${placeOf(zone)}, ${offsetOf(at, zone)}` : placeOf(zone);
  return t("time.moment", { ...of, place });
}

const BACK = [3600000, 1800000]; // milliseconds that clocks are ever turned back by

/**
 * What a zone's clocks are called by in the page's language: the page's own event says it, and of any other the console's
 * catalogue, where that is another word than in the zone's own name.
 * @param {string} zone
 */
function placeOf(zone) {
  const { zone: own, place } = document.documentElement.dataset;
  if (zone === own && place) return place;
  const key = `ops.zone.${zone}`;
  return i18next.exists(key) ? t(key) : zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " ");
}

/**
 * "GMT+02:00".
 * @param {number} at milliseconds
 * @param {string} zone
 */
function offsetOf(at, zone) {
  const parts = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(at);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/**
 * Seconds as a clock: 65 -> "1:05", 3700 -> "1:01:40".
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  /** @param {number} value */
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * Seconds in words, for live regions: 65 -> "1 minute 5 seconds".
 * @param {number} seconds
 */
export function spokenClock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const minutes = Math.floor(whole / 60);
  const parts = [];
  if (minutes) parts.push(counted("time.minutes", minutes));
  if (whole % 60 || !minutes) parts.push(counted("time.seconds", whole % 60));
  return parts.join(" ");
}

// Figures as an operator reads them: short, in their unit, a dash where nothing is known.
import { number } from "../i18n.js";

export const NONE = "–";
const language = document.documentElement.lang;

/** @param {number | null | undefined} value */
export const figure = (value) => (value === null || value === undefined ? NONE : number(value));

/**
 * @param {number | null | undefined} share
 * @param {number} digits
 */
export function percent(share, digits = 0) {
  if (share === null || share === undefined) return NONE;
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(share);
}

/**
 * Seconds: 0.0004 -> "0.4 ms", 0.23 -> "230 ms", 4.2 -> "4.2 s", 150 -> "2.5 min", 9000 -> "2.5 h".
 * @param {number | null | undefined} seconds
 */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  /** @type {[number, string]} */
  const [value, unit] =
    seconds < 1
      ? [seconds * 1000, "millisecond"]
      : seconds < 100
        ? [seconds, "second"]
        : seconds < 5400
          ? [seconds / 60, "minute"]
          : [seconds / 3600, "hour"];
  const digits = value < 10 ? 1 : 0;
  /** @type {Intl.NumberFormatOptions} */
  const format = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, format).format(value);
}

const CLOCK = new Intl.DateTimeFormat(language, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
});
const DAY = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });

/**
 * The time of day by the operator's own clock, which it names; with the day when it is not today's.
 * @param {string} value ISO 8601
 */
export function at(value) {
  const date = new Date(value);
  const today = date.toDateString() === new Date().toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

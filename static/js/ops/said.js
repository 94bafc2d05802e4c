// What the server tells, in the operator's language: a sentence's key with what stands in it (core/sentences.py).
import { html } from "../../vendor/lit-html/lit-html.js";
import { inWords, t } from "../i18n.js";
import { at, figure } from "./format.js";

/**
 * @typedef {{key: string, arguments: Record<string, unknown>}} Sentence
 * @typedef {{key?: string | null, arguments?: Record<string, unknown>, message: string}} Told
 */

const MOMENT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)/g;

/**
 * Moments by the operator's own clock.
 * @param {string} text
 */
export const byOwnClock = (text) => text.replace(MOMENT, at);

/** @param {unknown} value */
const isSentence = (value) => typeof value === "object" && value !== null && "key" in value && "arguments" in value;

/**
 * Null where this page has no words for it, or for a part of it: the server is newer.
 * @param {Sentence} sentence
 * @returns {string | null}
 */
function worded({ key, arguments: given }) {
  if (!inWords(`ops.said.${key}`, "")) return null;
  /** @type {Record<string, unknown>} */
  const values = {};
  for (const [name, value] of Object.entries(given)) {
    const words = argument(value);
    if (words === null) return null;
    values[name] = words;
  }
  return t(`ops.said.${key}`, values);
}

/**
 * @param {unknown} value
 * @returns {string | null}
 */
function argument(value) {
  if (Array.isArray(value)) {
    const parts = value.map(argument);
    return parts.includes(null) ? null : parts.join(", ");
  }
  if (isSentence(value)) return worded(/** @type {Sentence} */ (value));
  return typeof value === "number" ? figure(value) : String(value);
}

/**
 * Null where this page has no words for it.
 * @param {Pick<Told, "key" | "arguments">} told
 */
export function wording({ key, arguments: given }) {
  const words = key && given ? worded({ key, arguments: given }) : null;
  return words === null ? null : byOwnClock(words);
}

/**
 * `message` is the same in English, for what this page has no words for.
 * @param {Told} told
 */
export const inReadersWords = (told) => wording(told) ?? html`<span lang="en">${byOwnClock(told.message)}</span>`;

// What the server tells, in the operator's language: a sentence's key with what stands in it (core/sentences.py).
import { html } from "../../vendor/lit-html/lit-html.js";
import { inWords, t } from "../i18n.js";
import { figure } from "./format.js";

/**
 * @typedef {{key: string, arguments: Record<string, unknown>}} Sentence
 * @typedef {Partial<Sentence> & {message: string}} Told
 */

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
    const words = isSentence(value) ? worded(/** @type {Sentence} */ (value)) : value;
    if (words === null) return null;
    values[name] = typeof words === "number" ? figure(words) : words;
  }
  return t(`ops.said.${key}`, values);
}

/**
 * `message` is the same in English, for what this page has no words for.
 * @param {Told} told
 */
export function said({ key, arguments: given, message }) {
  const words = key && given ? worded({ key, arguments: given }) : null;
  return words ?? html`<span lang="en">${message}</span>`;
}

// One field of a form: label, hint, input, and what is wrong with it, tied together for who hears the page.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { number, t } from "../i18n.js";
import { LIMITS } from "./sale_fields.js";

/**
 * The sentence for a fault of `sale_fields.js`.
 * @param {string} key
 */
export function sentence(key) {
  const [name, character = "", place = ""] = key.split(":");
  const most = number(/** @type {Record<string, number>} */ (LIMITS)[name] ?? 0);
  return t(`ops.field.wrong.${name}`, { most, character, place });
}

/**
 * @typedef {object} Look
 * @property {string} [type]
 * @property {string} [mode] what a phone's keyboard shows
 * @property {string} [list] the id of a list of suggestions
 * @property {unknown} [hint]
 * @property {unknown} [note]
 * @property {string} [max]
 * @property {boolean} [lower] no words: no spelling, no capitals
 */

/**
 * @param {Console.Form} form
 * @param {string} name
 * @param {Look} look
 */
export function field(
  form,
  name,
  { type = "text", mode, list, hint = nothing, note = nothing, max, lower = false } = {},
) {
  const id = `${form.id}-${name}`;
  const wrong = form.wrong.get(name);
  const described = [hint === nothing ? "" : `${id}-hint`, wrong ? `${id}-wrong` : ""].filter(Boolean).join(" ");
  return html`<div class="field" data-field=${name}>
    <label for=${id}>${t(`ops.field.${name}`)}</label>
    <input
      id=${id}
      name=${name}
      type=${type}
      inputmode=${mode ?? nothing}
      list=${list ?? nothing}
      max=${max ?? nothing}
      autocomplete="off"
      spellcheck=${lower ? "false" : nothing}
      autocapitalize=${lower ? "none" : nothing}
      aria-invalid=${wrong ? "true" : "false"}
      aria-describedby=${described || nothing}
      .value=${live(form.fields[name])}
      @input=${(/** @type {InputOf<HTMLInputElement>} */ event) => form.typed(name, event.target)}
    />
    ${wrong ? html`<p class="wrong" id="${id}-wrong">${sentence(wrong)}</p>` : nothing}
    ${hint === nothing ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`} ${note}
  </div>`;
}

/**
 * A time of the reader's own zone.
 * @param {Console.Form} form
 * @param {string} name
 * @param {Look} options
 */
export const timeField = (form, name, options = {}) =>
  // A year of more than four digits is a slip that the field would take.
  field(form, name, { type: "datetime-local", max: "9999-12-30T23:59", ...options });

/**
 * Goes to the first field that is wrong.
 * @param {HTMLElement} root
 */
export function goToFirst(root) {
  /** @type {HTMLElement | null} */
  const first = root.querySelector('[aria-invalid="true"]');
  first?.focus();
}

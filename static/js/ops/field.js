// One field of a form: label, hint, input, and what is wrong with it, tied together for who hears the page.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { money, number, t } from "../i18n.js";
import { LIMITS, momentsOf } from "./sale_fields.js";

/**
 * The sentence for a fault of `sale_fields.js`.
 * @param {string} key
 */
export function sentence(key) {
  const [name, first = "", second = "", third = ""] = key.split(":");
  /** @type {Record<string, number>} */
  const limits = LIMITS;
  const most = number(Number(first) || (limits[name] ?? 0));
  // A character with its place, or a currency with its decimal places.
  const told = { most, character: first, place: second, line: third };
  if (!name.startsWith("price_")) return t(`ops.field.wrong.${name}`, told);
  const [currency, digits] = name === "price_large" ? [second, 0] : [first, Number(second)];
  return t(`ops.field.wrong.${name}`, { ...told, currency, digits, example: money(15000 * 10 ** digits, currency) });
}

/**
 * @typedef {object} FieldOptions
 * @property {string} [type]
 * @property {string} [label] where it is not that of the name
 * @property {string} [mode] what a phone's keyboard shows
 * @property {string} [list] the id of a list of suggestions
 * @property {unknown} [hint]
 * @property {unknown} [note]
 * @property {string} [max]
 * @property {boolean} [lower] no words: no spelling, no capitals
 * @property {boolean} [room] kept for what the server may say is wrong
 */

/**
 * @param {Console.Form} form
 * @param {string} name
 * @param {FieldOptions} options
 */
export function field(
  form,
  name,
  { type = "text", label, mode, list, hint = nothing, note = nothing, max, lower = false, room = false } = {},
) {
  const id = `${form.id}-${name}`;
  const wrong = form.wrong.get(name);
  const refused = form.refused?.has(name);
  const described = [
    hint === nothing ? "" : `${id}-hint`,
    wrong ? `${id}-wrong` : "",
    refused ? `${form.id}-refused` : "",
  ]
    .filter(Boolean)
    .join(" ");
  return html`<div class="field" data-field=${name}>
    <label for=${id}>${label ?? t(`ops.field.${name}`)}</label>
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
      aria-invalid=${wrong || refused ? "true" : "false"}
      aria-describedby=${described || nothing}
      .value=${live(form.fields[name])}
      @input=${(/** @type {InputOf<HTMLInputElement>} */ event) => form.typed(name, event.target)}
    />
    ${wrong || room ? html`<p class="${wrong ? "wrong" : ""} ${room ? "room" : ""}" id="${id}-wrong">${wrong ? sentence(wrong) : nothing}</p>` : nothing}
    ${hint === nothing ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`} ${note}
  </div>`;
}

/**
 * A text of several lines.
 * @param {Console.TextsForm} form
 * @param {string} name
 * @param {unknown} hint
 */
export function textArea(form, name, hint) {
  const id = `${form.id}-${name}`;
  const wrong = form.wrong.get(name);
  return html`<div class="field" data-field=${name}>
    <label for=${id}>${t(`ops.field.${name}`)}</label>
    <textarea
      id=${id}
      name=${name}
      rows="6"
      aria-invalid=${wrong || form.refused?.has(name) ? "true" : "false"}
      aria-describedby="${id}-hint${wrong ? ` ${id}-wrong` : ""}${form.refused?.has(name) ? ` ${form.id}-refused` : ""}"
      .value=${live(form.fields[name])}
      @input=${(/** @type {InputOf<HTMLTextAreaElement>} */ event) => form.write(name, event.target.value)}
    ></textarea>
    ${wrong ? html`<p class="wrong" id="${id}-wrong">${sentence(wrong)}</p>` : nothing}
    <p class="hint" id="${id}-hint">${hint}</p>
  </div>`;
}

/**
 * One of two, as a box to tick.
 * @param {Console.TextsForm} form
 * @param {string} name
 * @param {{on: string, off: string, hint?: unknown}} values as the API has them
 */
function boxField(form, name, { on, off, hint = nothing }) {
  const id = `${form.id}-${name}`;
  return html`<div class="field" data-field=${name}>
    <label class="check"
      ><input
        type="checkbox"
        id=${id}
        name=${name}
        aria-describedby=${hint === nothing ? nothing : `${id}-hint`}
        .checked=${live(form.fields[name] === on)}
        @change=${(/** @type {InputOf<HTMLInputElement>} */ event) => form.write(name, event.target.checked ? on : off)}
      /><span>${t(`ops.field.${name}`)}</span></label
    >
    ${hint === nothing ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;
}

/**
 * Which seats are given first, and which may be left over.
 * @param {Console.TextsForm} form
 */
export const seatRules = (form) =>
  html`<div class="fields">
    ${field(form, "focus", { lower: true, hint: t("ops.field.focus_hint") })}
    ${field(form, "companions", { mode: "numeric", hint: t("ops.field.companions_hint") })}
    ${boxField(form, "orphans", { on: "forbid", off: "allow", hint: t("ops.field.orphans_hint") })}
  </div>`;

/**
 * Where the clocks are put back, a time comes twice: which one is meant is asked.
 * @param {Console.TimesForm} form
 * @param {string} name
 */
function twice(form, name) {
  const zone = form.fields.time_zone;
  const moments = momentsOf(form.fields[name], zone);
  if (moments.length < 2) return nothing;
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: zone,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "shortOffset",
  });
  return html`<fieldset class="twice">
    <legend>${t("ops.field.twice")}</legend>
    ${moments.map(
      (moment, index) =>
        html`<label class="check">
          <input
            type="radio"
            name="${form.id}-${name}-twice"
            .checked=${live(form.chosen.get(name) === (index === 1))}
            @change=${() => form.choose(name, index === 1)}
          />
          <span>${format.format(moment)}</span>
        </label>`,
    )}
  </fieldset>`;
}

/**
 * A wall time of the form's zone.
 * @param {Console.TimesForm} form
 * @param {string} name
 * @param {FieldOptions} options
 */
export function timeField(form, name, options = {}) {
  const note = html`${options.note ?? nothing}${twice(form, name)}`;
  // A year of more than four digits is a slip that the field would take.
  return field(form, name, { type: "datetime-local", max: "9999-12-30T23:59", ...options, note });
}

/**
 * The zone in which a form's times are read, with the names of all zones to choose from.
 * @param {Console.Form} form
 */
export const zoneField = (form) =>
  html`${field(form, "time_zone", { list: `${form.id}-zones`, lower: true, hint: t("ops.field.zone_hint") })}
    <datalist id="${form.id}-zones">
      ${Intl.supportedValuesOf("timeZone").map((zone) => html`<option value=${zone}></option>`)}
    </datalist>`;

/**
 * Goes to the first field that is wrong.
 * @param {HTMLElement} root
 */
export function goToFirst(root) {
  /** @type {HTMLElement | null} */
  const first = root.querySelector('[aria-invalid="true"]');
  first?.focus();
}

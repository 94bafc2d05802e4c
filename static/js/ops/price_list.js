// What the categories of a plan are called by buyers, and what they cost.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { counted, money, t } from "../i18n.js";
import { field, sentence } from "./field.js";
import { minorOf } from "./sale_fields.js";

/**
 * @typedef {Console.Form & {
 *   prices: Record<string, string>,
 *   labels: Record<string, string>,
 *   categories: Api.CategoryCount[],
 *   chooser: {picture: import("./plan_picture.js").PlanPicture | null},
 * }} PricedForm `prices` and `labels`: texts by category
 */

/**
 * As the API takes them; to be called when none is wrong.
 * @param {PricedForm} form
 */
export function pricesAsked({ categories, prices, labels, fields }) {
  /** @type {Record<string, number | null>} */
  const asked = {};
  /** @type {Record<string, string>} */
  const called = {};
  for (const { name } of categories) {
    const text = (prices[name] ?? "").trim();
    const label = (labels[name] ?? "").trim();
    asked[name] = text ? minorOf(text, fields.currency) : null;
    if (label && label !== name) called[name] = label;
  }
  return { prices: asked, labels: called };
}

/**
 * What is wrong with them, in the order of the page.
 * @param {PricedForm} form
 * @returns {import("./error_summary.js").Fault[]}
 */
export const priceFaults = ({ categories, wrong }) =>
  categories.flatMap(({ name }, index) =>
    ["labels", "prices"].flatMap((kind) => {
      const fault = wrong.get(`${kind}.${name}`);
      return fault ? [{ id: `${kind === "prices" ? "price" : "label"}-${index}`, label: name, fault }] : [];
    }),
  );

/**
 * @param {PricedForm} form
 * @param {() => void} changed is called when something was typed
 */
export const priceList = (form, changed) =>
  html`<h3>${t("ops.new.prices")}</h3>
    ${field(form, "currency", { list: "currencies", lower: true })}
    <p class="hint">${t("ops.new.prices_hint")}</p>
    <ul class="prices">
      ${form.categories.map((one, index) => row(form, one, index, changed))}
    </ul>`;

/**
 * @param {PricedForm} form
 * @param {Api.CategoryCount} category
 * @param {number} index
 * @param {() => void} changed
 */
function row(form, { name, seats }, index, changed) {
  const color = form.chooser.picture?.swatches.get(name) ?? "";
  const id = `price-${index}`;
  const labelled = `label-${index}`;
  const wrong = form.wrong.get(`prices.${name}`);
  const badLabel = form.wrong.get(`labels.${name}`);
  const text = form.prices[name] ?? "";
  const amount = minorOf(text, form.fields.currency);
  /** @param {InputOf<HTMLInputElement>} event */
  const named = (event) => {
    form.labels[name] = event.target.value;
    changed();
  };
  /** @param {InputOf<HTMLInputElement>} event */
  const typed = (event) => {
    form.prices[name] = event.target.value;
    changed();
  };
  return html`<li>
    <span class="swatch" .style=${`--swatch: ${color}`} aria-hidden="true"></span>
    <label for=${id}>${name} <small>${counted("ops.plan.seats", seats)}</small></label>
    <input
      id=${labelled}
      class="shown-as"
      type="text"
      autocomplete="off"
      placeholder=${t("ops.field.label")}
      aria-label=${t("ops.field.label_of", { category: name })}
      aria-invalid=${badLabel ? "true" : "false"}
      aria-describedby=${badLabel ? `${labelled}-wrong` : nothing}
      .value=${live(form.labels[name] ?? "")}
      @input=${named}
    />
    <span class="read" id="${id}-read"
      >${
        Number.isNaN(amount)
          ? text.trim()
            ? nothing
            : t("ops.plan.not_for_sale")
          : money(amount, form.fields.currency)
      }</span
    >
    <input
      id=${id}
      class="price"
      type="text"
      inputmode="decimal"
      autocomplete="off"
      aria-invalid=${wrong ? "true" : "false"}
      aria-describedby="${id}-read ${wrong ? `${id}-wrong` : ""}"
      .value=${live(text)}
      @input=${typed}
    />
    ${badLabel ? html`<p class="wrong" id="${labelled}-wrong">${sentence(badLabel)}</p>` : nothing}
    ${wrong ? html`<p class="wrong" id="${id}-wrong">${sentence(wrong)}</p>` : nothing}
  </li>`;
}

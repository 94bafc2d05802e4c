// "New sale": a seat plan, what its categories cost, a name, times and limits; then the sale's own page.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { Refusal } from "../api.js";
import { Busy, gone } from "../busy.js";
import { knownCurrencies, t } from "../i18n.js";
import * as api from "./api.js";
import { errorSummary, faultsOf } from "./error_summary.js";
import { feeLines } from "./fee_lines.js";
import { field, goToFirst, seatRules, textArea, timeField, zoneField } from "./field.js";
import { span } from "./format.js";
import { why } from "./notice.js";
import { PictureField } from "./picture_field.js";
import { PlanChooser } from "./plan_chooser.js";
import { priceFaults, priceList, pricesAsked } from "./price_list.js";
import {
  faults,
  feesOf,
  fieldOf,
  focusOf,
  isZone,
  LIMITS,
  momentOf,
  OWN_ZONE,
  refused,
  slugOf,
  TIMES,
} from "./sale_fields.js";

/** @param {HTMLElement} root */
export function newSale(root) {
  new NewSale(root);
}

class NewSale {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.id = "sale";
    const { activeLimit = "", holdSeconds = "", maxSeats = "" } = root.dataset;
    /** @type {Record<string, string>} */
    this.fields = {
      name: "",
      venue: "",
      address: "",
      description: "",
      slug: "",
      currency: "KRW",
      opens_at: "",
      closes_at: "",
      starts_at: "",
      time_zone: isZone(OWN_ZONE) ? OWN_ZONE : "UTC",
      active_limit: activeLimit,
      hold_seconds: holdSeconds,
      max_seats: maxSeats,
      prequeue_seconds: "900",
      focus: "",
      companions: "0",
      orphans: "allow",
      fees: "24=0", // core/venue/fees.py: DEFAULT_FEES
    };
    /** @type {Record<string, string>} */
    this.prices = {}; // category -> text; kept when another plan has a category of the same name
    /** @type {Record<string, string>} */
    this.labels = {}; // category -> what buyers call it, where that is another name
    this.open = false;
    this.ownSlug = false; // typed, not proposed
    /** @type {Map<string, boolean>} */
    this.chosen = new Map(); // of times that come twice, whether the second is meant
    /** @type {Set<string>} */
    this.incomplete = new Set();
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.tried = false; // what is wrong is told when the form was sent, then as it is typed
    /** @type {Set<string>} */
    this.taken = new Set(); // slugs that the server has refused
    this.busy = new Busy(() => this.draw(), 2 * api.LONG); // the sale, and its picture
    this.failure = "";
    /** @type {File | null} */
    this.file = null; // the picture, sent when the sale is made
    this.picture = new PictureField(
      this.id,
      (file) => {
        this.file = file;
        this.draw();
      },
      () => this.draw(),
    );
    this.made = ""; // the slug of a sale that was made, and whose picture was refused
    this.chooser = new PlanChooser(() => this.#checked());
    document.title = `${t("ops.new.title")} · Onsale`;
    this.draw();
  }

  get categories() {
    return this.chooser.plan?.categories ?? [];
  }

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = name === "currency" ? input.value.toUpperCase() : input.value;
    if (input.validity.badInput) this.incomplete.add(name);
    else this.incomplete.delete(name);
    if (name === "time_zone") this.chosen.clear();
    else this.chosen.delete(name);
    if (name === "slug") this.ownSlug = input.value !== "";
    if (!this.ownSlug && ["name", "slug", "starts_at"].includes(name)) this.fields.slug = proposed(this.fields);
    this.#checked();
  };

  /**
   * @param {string} name
   * @param {string} text
   */
  write = (name, text) => {
    this.fields[name] = text;
    this.#checked();
  };

  /**
   * @param {string} name
   * @param {boolean} second
   */
  choose = (name, second) => {
    this.chosen.set(name, second);
    this.#checked();
  };

  /** Something was typed or chosen. */
  #checked() {
    if (this.tried) this.#check();
    this.draw();
  }

  #check() {
    const { fields, prices, labels, incomplete, chosen } = this;
    this.wrong = faults(fields, {
      prices,
      labels,
      incomplete,
      chosen,
      categories: this.categories.map(({ name }) => name),
    });
    if (this.taken.has(fields.slug)) this.wrong.set("slug", "taken");
    this.chooser.missing = !this.chooser.plan && !this.chooser.problem && !this.chooser.checking;
    return this.wrong.size === 0 && this.chooser.plan !== null;
  }

  /** @param {Event} event */
  submit = async (event) => {
    event.preventDefault();
    if (this.busy.on || this.made) return;
    this.tried = true;
    this.failure = "";
    if (!this.#check()) {
      this.draw();
      goToFirst(this.root);
      return;
    }
    await this.busy.run(
      async () => {
        const { slug } = await api.createSale(this.#asked());
        if (!(await this.#pictured(slug))) return;
        location.assign(pageOf(slug));
        await gone();
      },
      (error) => this.#refused(error),
    );
  };

  /**
   * Whether the sale has the picture that was chosen; else it says why, and how to go on.
   * @param {string} slug
   */
  async #pictured(slug) {
    if (!this.file) return true;
    try {
      await new api.SaleApi(slug).bringPicture(this.file);
      return true;
    } catch (error) {
      this.made = slug;
      this.failure = t("ops.new.picture_failed", { why: why(error) });
      return false;
    }
  }

  /** @returns {Api.NewSale} */
  #asked() {
    const { fields, open, chooser } = this;
    return {
      name: fields.name.trim(),
      venue: fields.venue.trim(),
      address: fields.address.trim(),
      description: fields.description.trim(),
      slug: fields.slug,
      currency: fields.currency,
      ...pricesAsked(this),
      open,
      plan: chooser.text ?? "",
      time_zone: fields.time_zone,
      fees: feesOf(fields.fees),
      focus: focusOf(fields.focus) ?? null,
      orphans: fields.orphans === "forbid" ? "forbid" : "allow",
      ...Object.fromEntries(
        TIMES.map((time) => [time, momentOf(fields[time], fields.time_zone, this.chosen.get(time))]),
      ),
      ...Object.fromEntries(Object.keys(LIMITS).map((limit) => [limit, Number(fields[limit])])),
    };
  }

  /** @param {unknown} error */
  #refused(error) {
    const code = error instanceof Refusal ? error.code : null;
    if (code === "event_exists") this.taken.add(this.fields.slug);
    const known = new Set([
      ...Object.keys(this.fields),
      ...this.categories.flatMap(({ name }) => [`prices.${name}`, `labels.${name}`]),
    ]);
    const wrong = refused(error, known);
    if (wrong) this.wrong = wrong;
    else if (code === "plan_invalid") this.chooser.refuse(error);
    else this.failure = why(error);
    this.draw();
    if (wrong) goToFirst(this.root);
  }

  /** @returns {import("./error_summary.js").Fault[]} in the order of the page */
  #faults() {
    const { wrong, chooser } = this;
    const plan =
      chooser.missing || chooser.problem
        ? [{ id: "plan-file", label: t("ops.plan.title"), fault: chooser.missing ? "plan" : "plan_invalid" }]
        : [];
    const own = new Map([...wrong].filter(([name]) => !/^(labels|prices)\./.test(name)));
    return [...plan, ...priceFaults(this), ...faultsOf({ id: this.id, wrong: own })];
  }

  draw() {
    render(
      html`
        <div class="head"><h1>${t("ops.new.title")}</h1></div>
        <form class="sale-form" novalidate @submit=${this.submit}>
          <section class="card" aria-labelledby="plan-title">
            <h2 id="plan-title">${t("ops.plan.title")}</h2>
            ${this.chooser.draw()} ${this.chooser.plan ? priceList(this, () => this.#checked()) : nothing}
          </section>
          ${this.chooser.checking ? nothing : this.#rest()}
        </form>
        <datalist id="currencies">${knownCurrencies().map((code) => html`<option value=${code}></option>`)}</datalist>
      `,
      this.root,
    );
  }

  /** What is below the plan, of which nobody knows yet how much room it takes while it is checked: not there, not moved. */
  #rest() {
    const { fields } = this;
    const bad = this.tried ? this.#faults() : [];
    const words = this.busy.on ? t("ops.new.busy") : t("ops.new.go");
    return html`
      <section class="card" aria-labelledby="words-title">
        <h2 id="words-title">${t("ops.new.words")}</h2>
        ${field(this, "name")}
        ${field(this, "slug", { lower: true, room: this.tried, hint: html`${t("ops.field.slug_hint")} <span class="mono">${location.origin}/events/${fields.slug || "…"}</span>` })}
      </section>
      <section class="card" aria-labelledby="about-title">
        <h2 id="about-title">${t("ops.new.about")}</h2>
        <div class="fields">${field(this, "venue")} ${field(this, "address")}</div>
        ${textArea(this, "description", t("ops.field.description_hint"))} ${this.picture.draw()}
      </section>
      <section class="card" aria-labelledby="times-title">
        <h2 id="times-title">${t("ops.new.times")}</h2>
        ${zoneField(this)}
        <div class="fields">
          ${timeField(this, "opens_at", { hint: t("ops.field.opens_hint") })}
          ${field(this, "prequeue_seconds", { mode: "numeric", hint: t("ops.field.prequeue_hint") })}
          ${timeField(this, "closes_at", { hint: t("ops.field.closes_hint"), note: isPast(fields.closes_at, fields.time_zone) ? html`<p class="note">${t("ops.field.closes_past")}</p>` : nothing })}
          ${timeField(this, "starts_at", { hint: t("ops.field.starts_hint") })}
        </div>
      </section>
      <section class="card" aria-labelledby="limits-title">
        <h2 id="limits-title">${t("ops.new.limits")}</h2>
        <div class="fields">
          ${field(this, "active_limit", { mode: "numeric", hint: t("ops.field.active_hint") })}
          ${field(this, "hold_seconds", { mode: "numeric", hint: t("ops.field.hold_hint", { time: span(Number(fields.hold_seconds) || null) }) })}
          ${field(this, "max_seats", { mode: "numeric" })}
        </div>
      </section>
      <section class="card" aria-labelledby="rules-title">
        <h2 id="rules-title">${t("ops.new.rules")}</h2>
        ${seatRules(this)}
      </section>
      <section class="card" aria-label=${t("ops.field.fees")}>${feeLines(this)}</section>
      <div class="send">
        <label class="check"
          ><input type="checkbox" id="sale-open" .checked=${live(this.open)} @change=${this.#opened} />
          <span>${t("ops.new.open")}</span></label
        >
        <p class="hint">
          ${this.open ? t("ops.new.open_now") : fields.opens_at ? t("ops.new.open_then") : t("ops.new.open_by_hand")}
        </p>
        <div class="actions">
          ${
            this.made
              ? html`<a class="button primary" href=${pageOf(this.made)}>${t("ops.new.made_open")}</a>`
              : html`<button
                    class="button primary waits"
                    type="submit"
                    aria-label=${words}
                    aria-busy=${this.busy.on}
                    aria-disabled=${this.busy.on}
                  >
                    <span>${t("ops.new.go")}</span>
                    ${this.busy.on ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
                  </button>
                  <a class="button secondary" href="/ops">${t("ops.confirm.no")}</a>`
          }
        </div>
        ${bad.length ? errorSummary(bad) : nothing}
        ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}
      </div>
    `;
  }

  /** @param {InputOf<HTMLInputElement>} event */
  #opened = (event) => {
    this.open = event.target.checked;
    this.draw();
  };
}

/** @param {string} slug */
const pageOf = (slug) => `/ops/events/${encodeURIComponent(slug)}`;

/**
 * A name of which nothing can stand in an address (공연) has the day of the performance instead.
 * @param {Record<string, string>} fields
 */
function proposed({ name, starts_at, time_zone }) {
  if (!name.trim()) return "";
  return (
    slugOf(name) || `sale-${(starts_at || fieldOf(new Date(), isZone(time_zone) ? time_zone : "UTC")).slice(0, 10)}`
  );
}

/**
 * @param {string} value
 * @param {string} zone
 */
const isPast = (value, zone) => (momentOf(value, zone) ?? "9") < new Date().toISOString();

// What can be changed of a sale after it was made: name, times, hold time, seats of a visitor.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { t } from "../i18n.js";
import { errorSummary, faultsOf } from "./error_summary.js";
import { feeLines } from "./fee_lines.js";
import { field, goToFirst, seatRules, textArea, timeField, zoneField } from "./field.js";
import { span } from "./format.js";
import { tell, why } from "./notice.js";
import { changedElsewhere, roomOf, said, unread } from "./parts.js";
import { PictureField } from "./picture_field.js";
import {
  faults,
  feesOf,
  feesText,
  fieldOf,
  focusOf,
  focusText,
  momentOf,
  momentsOf,
  refused,
  TIMES,
} from "./sale_fields.js";

const WORDS = ["name", "venue", "address", "description", "time_zone"];
const RULES = ["prequeue_seconds", "hold_seconds", "max_seats", "focus", "companions", "orphans"];
const NAMES = [...WORDS, ...TIMES, ...RULES, "fees"];

export class SaleSettings {
  /**
   * `changed()` is told when something was saved.
   * @param {{sale: Console.SaleApi, host: HTMLElement, changed: () => void}} parts
   */
  constructor({ sale, host, changed }) {
    this.sale = sale;
    this.host = host;
    this.changed = changed;
    this.id = "settings";
    /** @type {Record<string, string>} */
    this.known = {}; // as the server has it, in texts
    /** @type {Record<string, string>} */
    this.fields = {};
    /** @type {Map<string, boolean>} */
    this.chosen = new Map(); // of times that come twice, whether the second is meant
    /** @type {Map<string, boolean>} */
    this.before = new Map(); // the same as the server has it
    /** @type {Set<string>} */
    this.incomplete = new Set();
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    /** What the server alone has found wrong. @type {Map<string, string>} */
    this.refused = new Map();
    this.busy = new Busy(() => this.draw());
    this.tried = false; // a summary of what is wrong stands below the form once it was sent
    this.pressed = false;
    this.failure = "";
    /** What others have made of it while it lies open. @type {Api.SaleSettings | null} */
    this.news = null;
    /** @type {Api.PictureShown[]} */
    this.pictures = [];
    this.picture = new PictureField(
      this.id,
      (file) => this.#picture(file),
      () => this.draw(),
    );
    this.room = roomOf(host, () => this.#read);
    unread(host, t("ops.settings.title"));
    this.ready = this.refresh();
  }

  get #read() {
    return this.known.name !== undefined;
  }

  /**
   * What others changed is shown, unless something is being typed here. Of a form that lies open it is said, and shown by a
   * press: its lines may be more, and others.
   */
  async refresh() {
    if (this.#changes().length || this.busy.on || this.picture.busy.on) return;
    try {
      const event = await this.sale.settings();
      if (this.#changes().length || this.busy.on || this.picture.busy.on) return;
      const open = /** @type {HTMLDetailsElement} */ (this.host).open && this.#read;
      const same = JSON.stringify([knownOf(event), event.pictures]) === JSON.stringify([this.known, this.pictures]);
      if (open && !same) this.news = event;
      else this.news = null;
      if (this.news) this.draw();
      else this.#learn(event);
    } catch (error) {
      if (!this.#read) unread(this.host, t("ops.settings.title"), error);
      // Asked again with a later look.
    }
  }

  #show = () => {
    const { news } = this;
    if (!news) return;
    this.news = null;
    this.#undo();
    this.#learn(news);
    this.host.querySelector("input")?.focus({ preventScroll: true }); // the button is gone
  };

  /** @param {Api.SaleSettings} event */
  #learn(event) {
    const first = !this.#read;
    this.known = knownOf(event);
    this.fields = { ...this.known };
    this.pictures = event.pictures;
    this.picture.learn(event.pictures);
    this.chosen = this.#chosenOf(event);
    this.before = new Map(this.chosen);
    this.draw();
    if (first) this.room.fill();
  }

  /**
   * @param {Pick<Api.SaleSettings, "opens_at" | "closes_at" | "starts_at" | "time_zone">} event
   * @returns {Map<string, boolean>}
   */
  #chosenOf(event) {
    const known = [
      ["opens_at", event.opens_at],
      ["closes_at", event.closes_at],
      ["starts_at", event.starts_at],
    ];
    const chosen = new Map();
    for (const [name, moment] of known) {
      const moments = momentsOf(this.known[name ?? ""], event.time_zone);
      if (name && moment && moments.length > 1) chosen.set(name, moments[1].getTime() === Date.parse(moment));
    }
    return chosen;
  }

  #changes() {
    const { fields, known, incomplete, chosen, before } = this;
    const changed = NAMES.filter(
      (name) => fields[name] !== known[name] || incomplete.has(name) || chosen.get(name) !== before.get(name),
    );
    // What is read in another zone is another moment.
    return changed.includes("time_zone") ? [...new Set([...changed, ...TIMES])] : changed;
  }

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = input.value;
    if (input.validity.badInput) this.incomplete.add(name);
    else this.incomplete.delete(name);
    if (name === "time_zone") this.chosen.clear();
    else this.chosen.delete(name);
    this.refused.delete(name);
    this.#check();
    this.draw();
  };

  /**
   * @param {string} name
   * @param {string} text
   */
  write = (name, text) => {
    this.fields[name] = text;
    this.refused.delete(name);
    this.#check();
    this.draw();
  };

  /**
   * @param {string} name
   * @param {boolean} second
   */
  choose = (name, second) => {
    this.chosen.set(name, second);
    this.refused.delete(name);
    this.#check();
    this.draw();
  };

  #check() {
    this.wrong = faults(this.fields, { incomplete: this.incomplete, chosen: this.chosen });
  }

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    const names = this.#changes();
    if (this.busy.on || !names.length) return;
    this.failure = "";
    this.refused.clear();
    this.tried = true;
    this.#check();
    if (!this.wrong.size) {
      this.pressed = true;
      await this.#save(names);
    }
    this.draw();
    if (this.wrong.size) goToFirst(this.host);
  };

  /** @param {string[]} names */
  async #save(names) {
    await this.busy.run(
      async () => {
        this.#learn(await this.sale.change(Object.fromEntries(names.map((name) => [name, this.#value(name)]))));
        this.tried = false;
        tell(t("ops.settings.done"));
        this.changed();
      },
      (error) => {
        this.refused = refused(error, new Set(NAMES)) ?? new Map();
        if (!this.refused.size) this.failure = why(error);
      },
    );
  }

  /**
   * A picture is changed at once: it is a file and no text that could be typed back.
   * @param {File | null} file
   */
  async #picture(file) {
    const { picture, sale } = this;
    await picture.busy.run(
      async () => {
        const { pictures } = await (file ? sale.bringPicture(file) : sale.takePictureAway());
        this.pictures = pictures;
        picture.learn(pictures);
        tell(t("ops.settings.done"));
        this.changed();
      },
      (error) => {
        picture.learn(this.pictures); // as it is still
        picture.failure = why(error);
      },
    );
  }

  /** @param {string} name as the API takes it */
  #value(name) {
    const text = this.fields[name];
    if (TIMES.includes(name)) return momentOf(text, this.fields.time_zone, this.chosen.get(name));
    if (WORDS.includes(name)) return text.trim();
    if (name === "orphans") return text;
    if (name === "focus") return focusOf(text);
    return name === "fees" ? feesOf(text) : Number(text);
  }

  #undo = () => {
    this.tried = false;
    this.fields = { ...this.known };
    this.incomplete.clear();
    this.chosen = new Map(this.before);
    this.wrong = new Map();
    this.refused.clear();
    this.failure = "";
    // A time that is typed half has no value to set back: the field itself has to forget it.
    for (const input of this.host.querySelectorAll("input")) {
      if (input.name in this.fields) input.value = this.fields[input.name];
    }
    this.draw();
  };

  draw() {
    const changed = this.#changes().length > 0;
    render(
      html`
        <summary>
          <h2>${t("ops.settings.title")}</h2>
          <small>${t("ops.settings.lead")}</small>
        </summary>
        <form class="sale-form" novalidate @submit=${this.#submit}>
          ${field(this, "name")} ${field(this, "venue")} ${field(this, "address")}
          ${textArea(this, "description", t("ops.field.description_hint"))} ${this.picture.draw()} ${zoneField(this)}
          <div class="fields">
            ${timeField(this, "opens_at", { hint: t("ops.field.opens_hint") })}
            ${field(this, "prequeue_seconds", { mode: "numeric", hint: t("ops.field.prequeue_hint") })}
            ${timeField(this, "closes_at", { hint: t("ops.field.closes_hint") })}
            ${timeField(this, "starts_at", { hint: t("ops.field.starts_hint") })}
            ${field(this, "hold_seconds", { mode: "numeric", hint: t("ops.field.hold_hint", { time: span(Number(this.fields.hold_seconds) || null) }) })}
            ${field(this, "max_seats", { mode: "numeric" })}
          </div>
          ${seatRules(this)} ${feeLines(this)} ${changedElsewhere(t("ops.settings.effect"), this.news && this.#show)}
          ${this.tried && this.wrong.size ? errorSummary(faultsOf(this)) : nothing}
          <div class="actions">
            <button class="button small primary" type="submit" ?disabled=${!changed || this.busy.on}>
              ${t("ops.settings.go")}
            </button>
            <button class="button small secondary" type="button" ?data-off=${!changed} @click=${this.#undo}>
              ${t("ops.settings.undo")}
            </button>
          </div>
          ${said(
            this.pressed,
            html`<div id="settings-refused">
              ${this.refused.size ? errorSummary(faultsOf({ id: this.id, wrong: this.refused })) : nothing}
              ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}
            </div>`,
          )}
        </form>
      `,
      this.host,
    );
  }
}

/**
 * As the form has it, in texts.
 * @param {Api.SaleSettings} event
 * @returns {Record<string, string>}
 */
const knownOf = (event) => ({
  name: event.name,
  venue: event.venue,
  address: event.address,
  description: event.description,
  time_zone: event.time_zone,
  opens_at: fieldOf(event.opens_at, event.time_zone),
  closes_at: fieldOf(event.closes_at, event.time_zone),
  starts_at: fieldOf(event.starts_at, event.time_zone),
  hold_seconds: String(event.hold_seconds),
  max_seats: String(event.max_seats),
  prequeue_seconds: String(event.prequeue_seconds),
  focus: focusText(event.focus),
  companions: String(event.companions),
  orphans: event.orphans,
  fees: feesText(event.fees),
});

// What can be changed of a sale after it was made: name, times, hold time, seats of a visitor.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { field, goToFirst, timeField } from "./field.js";
import { span } from "./format.js";
import { tell, why } from "./notice.js";
import { faults, fieldOf, momentOf, refused, TIMES, zone } from "./sale_fields.js";

const NAMES = ["name", ...TIMES, "hold_seconds", "max_seats"];
const LANGUAGE = document.documentElement.lang;

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
    /** @type {Set<string>} */
    this.incomplete = new Set();
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.busy = false;
    this.failure = "";
    this.refresh();
  }

  /** What others changed is shown, unless something is being typed here. */
  async refresh() {
    if (this.#changes().length) return;
    try {
      const event = await this.sale.event();
      if (this.#changes().length) return;
      this.#learn(event);
    } catch {
      // Asked again with a later look.
    }
  }

  /** @param {Pick<Api.EventDetails, "name" | "opens_at" | "closes_at" | "starts_at" | "hold_seconds" | "max_seats">} event */
  #learn(event) {
    this.known = {
      name: event.name,
      opens_at: fieldOf(event.opens_at),
      closes_at: fieldOf(event.closes_at),
      starts_at: fieldOf(event.starts_at),
      hold_seconds: String(event.hold_seconds),
      max_seats: String(event.max_seats),
    };
    this.fields = { ...this.known };
    this.draw();
    this.host.hidden = false;
  }

  #changes() {
    return NAMES.filter((name) => this.fields[name] !== this.known[name] || this.incomplete.has(name));
  }

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = input.value;
    if (input.validity.badInput) this.incomplete.add(name);
    else this.incomplete.delete(name);
    this.wrong = faults(this.fields, { incomplete: this.incomplete });
    this.draw();
  };

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    const names = this.#changes();
    if (this.busy || !names.length) return;
    this.failure = "";
    this.wrong = faults(this.fields, { incomplete: this.incomplete });
    if (!this.wrong.size) await this.#save(names);
    this.draw();
    if (this.wrong.size) goToFirst(this.host);
  };

  /** @param {string[]} names */
  async #save(names) {
    this.busy = true;
    this.draw();
    /** @param {string} name */
    const value = (name) =>
      TIMES.includes(name)
        ? momentOf(this.fields[name])
        : name === "name"
          ? this.fields.name.trim()
          : Number(this.fields[name]);
    try {
      this.#learn(await this.sale.change(Object.fromEntries(names.map((name) => [name, value(name)]))));
      tell(t("ops.settings.done"));
      this.changed();
    } catch (error) {
      this.wrong = refused(error, new Set(NAMES)) ?? this.wrong;
      if (!this.wrong.size) this.failure = why(error);
    } finally {
      this.busy = false;
    }
  }

  #undo = () => {
    this.fields = { ...this.known };
    this.incomplete.clear();
    this.wrong = new Map();
    this.failure = "";
    // A time that is typed half has no value to set back: the field itself has to forget it.
    for (const input of this.host.querySelectorAll("input")) input.value = this.fields[input.name];
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
          ${field(this, "name")}
          <p class="hint">${t("ops.field.zone", { zone: zone(LANGUAGE) })}</p>
          <div class="fields">
            ${timeField(this, "opens_at", { hint: t("ops.field.opens_hint") })}
            ${timeField(this, "closes_at", { hint: t("ops.field.closes_hint") })}
            ${timeField(this, "starts_at", { hint: t("ops.field.starts_hint") })}
            ${field(this, "hold_seconds", { mode: "numeric", hint: t("ops.field.hold_hint", { time: span(Number(this.fields.hold_seconds) || null) }) })}
            ${field(this, "max_seats", { mode: "numeric" })}
          </div>
          <p class="hint">${t("ops.settings.effect")}</p>
          ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}
          <div class="actions">
            <button class="button small primary" type="submit" ?disabled=${!changed || this.busy}>
              ${t("ops.settings.go")}
            </button>
            ${changed ? html`<button class="button small secondary" type="button" @click=${this.#undo}>${t("ops.settings.undo")}</button>` : nothing}
          </div>
        </form>
      `,
      this.host,
    );
  }
}

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
  /** `sale`: SaleApi; `host`: the element to draw into; `changed()` is told when something was saved. */
  constructor({ sale, host, changed }) {
    Object.assign(this, { sale, host, changed, id: "settings" });
    this.known = null; // as the server has it, in texts
    this.fields = null;
    this.incomplete = new Set();
    this.wrong = new Map();
    this.busy = false;
    this.failure = "";
    this.refresh();
  }

  /** What others changed is shown, unless something is being typed here. */
  async refresh() {
    if (this.fields && this.#changes().length) return;
    try {
      const event = await this.sale.event();
      if (this.fields && this.#changes().length) return;
      this.#learn(event);
    } catch {
      // Asked again with a later look.
    }
  }

  #learn(event) {
    this.known = Object.fromEntries(
      NAMES.map((name) => [name, TIMES.includes(name) ? fieldOf(event[name]) : String(event[name])]),
    );
    this.fields = { ...this.known };
    this.draw();
    this.host.hidden = false;
  }

  #changes() {
    return NAMES.filter((name) => this.fields[name] !== this.known[name] || this.incomplete.has(name));
  }

  typed = (name, input) => {
    this.fields[name] = input.value;
    if (input.validity.badInput) this.incomplete.add(name);
    else this.incomplete.delete(name);
    this.wrong = faults(this.fields, { incomplete: this.incomplete });
    this.draw();
  };

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

  async #save(names) {
    this.busy = true;
    this.draw();
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
    }
    this.busy = false;
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

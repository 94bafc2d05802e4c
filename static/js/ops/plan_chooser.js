// Choosing a seat plan: a file, dropped or picked, or the demonstration hall. It is checked at once by the server, which
// tells all that is wrong with it, or what is in it.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { NoAnswer, Refusal } from "../api.js";
import { counted, t } from "../i18n.js";
import * as api from "./api.js";
import { figure } from "./format.js";
import { why } from "./notice.js";
import { PlanPicture } from "./plan_picture.js";
import { inReadersWords } from "./said.js";

const MOST_BYTES = 64_000_000; // core/venue/plan_document.py

/**
 * `file.text()` would put a replacement in place of what it cannot read, and the hall's names were sold so.
 * @param {File} file
 */
async function textOf(file) {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(t("ops.plan.not_utf8"));
  }
}

/** @typedef {import("./said.js").Told & {at: string, line?: number, column?: number}} Told */

/** @param {Told} told */
const problem = (told) => {
  const place =
    told.line === undefined ? told.at : t("ops.plan.line", { line: figure(told.line), column: figure(told.column) });
  return html`<li><code>${place}</code> ${inReadersWords(told)}</li>`;
};

export class PlanChooser {
  /** @param {() => void} changed is told of every news; `plan` is then null or what the check answered */
  constructor(changed) {
    this.changed = changed;
    /** @type {string | null} */
    this.text = null;
    /** @type {Api.CheckedPlan | null} */
    this.plan = null;
    /** @type {PlanPicture | null} */
    this.picture = null;
    this.name = "";
    /** @type {{text: string, errors: Told[], more: number} | null} */
    this.problem = null;
    this.checking = false;
    this.over = false;
    this.missing = false;
    this.turn = 0;
  }

  /** @param {File | undefined} file */
  file(file) {
    if (!file) return;
    this.#take(file.name, async () => {
      if (file.size > MOST_BYTES) throw new Error(t("ops.plan.too_large", { most: figure(MOST_BYTES / 1e6) }));
      return textOf(file);
    });
  }

  demonstration = () => this.#take(t("ops.plan.demonstration"), api.demonstrationPlan);

  /**
   * @param {string} name
   * @param {() => Promise<string>} read
   */
  async #take(name, read) {
    const turn = (this.turn += 1);
    this.picture?.gone();
    Object.assign(this, { name, text: null, plan: null, picture: null, problem: null, checking: true, missing: false });
    this.changed();
    try {
      const text = await read();
      const plan = await api.checkPlan(text);
      if (turn !== this.turn) return; // another one was chosen meanwhile
      const label = t("ops.plan.picture", { name: plan.name || name, seats: figure(plan.seats) });
      const picture = new PlanPicture(plan.plan, label, this.changed);
      Object.assign(this, { text, plan, picture });
    } catch (error) {
      if (turn === this.turn) this.#refused(error);
    } finally {
      if (turn === this.turn) {
        this.checking = false;
        this.changed();
      }
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    const data = error instanceof Refusal && error.code === "plan_invalid" ? error.data : {};
    const { errors = [], more = 0 } = data;
    // What is no refusal and no lost answer was thrown here, with words of its own: a file too large or unreadable.
    const ours =
      error instanceof Error && !(error instanceof Refusal || error instanceof NoAnswer) ? error.message : "";
    const text = errors.length ? counted("ops.plan.errors", errors.length + more) : ours || why(error);
    this.problem = { text, errors, more };
  }

  /**
   * The server found something when the sale was created.
   * @param {unknown} error
   */
  refuse(error) {
    this.#refused(error);
    this.changed();
  }

  draw() {
    const invalid = this.problem || this.missing;
    return html`
      <div class="drop" ?data-over=${this.over} @dragover=${this.#over} @dragleave=${this.#left} @drop=${this.#dropped}>
        <input
          id="plan-file"
          class="visually-hidden"
          type="file"
          accept=".json,application/json"
          aria-invalid=${invalid ? "true" : "false"}
          aria-describedby="plan-hint${invalid ? " plan-wrong" : ""}"
          @change=${this.#picked}
        />
        <label class="button small secondary" for="plan-file">${t("ops.plan.file")}</label>
        <button type="button" class="link" @click=${this.demonstration}>${t("ops.plan.use_demonstration")}</button>
        <p class="hint" id="plan-hint">${t("ops.plan.hint")}</p>
      </div>
      <div role="status">
        ${this.checking ? html`<p class="checking"><span class="spinner" aria-hidden="true"></span> ${t("ops.plan.checking", { name: this.name })}</p>` : nothing}
        ${this.plan ? html`<p class="plan-summary"><strong>${this.plan.name || this.name}</strong> ${t("ops.plan.has", { seats: counted("ops.plan.seats", this.plan.seats), zones: counted("ops.plan.zones", this.plan.zones) })}</p>` : nothing}
      </div>
      ${this.plan?.warnings.length ? this.#warnings(this.plan) : nothing} ${invalid ? this.#wrong() : nothing}
      ${this.picture ? this.picture.element : nothing}
    `;
  }

  /** @param {Api.CheckedPlan} plan */
  #warnings({ warnings, more_warnings: more }) {
    const title = counted("ops.plan.warnings", warnings.length + more);
    return html`<div class="callout plan-errors" data-kind="warn">
      <p>${title}</p>
      <ul tabindex="0" aria-label=${title}>
        ${warnings.map(problem)}
      </ul>
      ${more ? html`<p>${t("ops.plan.more_warnings", { number: figure(more) })}</p>` : nothing}
    </div>`;
  }

  #wrong() {
    if (!this.problem) return html`<p class="wrong" id="plan-wrong">${t("ops.field.wrong.plan")}</p>`;
    const { text, errors, more } = this.problem;
    return html`<div class="callout plan-errors" data-kind="bad" role="alert">
      <p id="plan-wrong"><strong>${this.name}</strong>: ${text}</p>
      ${
        errors.length
          ? html`<ul tabindex="0" aria-label=${text}>
              ${errors.map(problem)}
            </ul>`
          : nothing
      }
      ${more ? html`<p>${t("ops.plan.more", { number: figure(more) })}</p>` : nothing}
    </div>`;
  }

  /** @param {InputOf<HTMLInputElement>} event */
  #picked = (event) => {
    this.file(event.target.files?.[0]);
    event.target.value = ""; // the same file, mended, is news again
  };

  /** @param {DragEvent} event */
  #over = (event) => {
    event.preventDefault();
    if (!this.over) {
      this.over = true;
      this.changed();
    }
  };

  /** @param {DragEvent & {currentTarget: HTMLElement}} event */
  #left = (event) => {
    if (event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)) return;
    this.over = false;
    this.changed();
  };

  /** @param {DragEvent} event */
  #dropped = (event) => {
    event.preventDefault();
    this.over = false;
    this.changed();
    this.file(event.dataTransfer?.files[0]);
  };
}

// A list that is asked for again and again under the eyes of who reads it: nothing in it moves by itself. What is shown is
// kept up to date where it stands, what is new is counted and waits for a press, what is no more stays until then.
import { html } from "../../vendor/lit-html/lit-html.js";
import { announce } from "../announce.js";
import { byId } from "../dom.js";
import { counted, t } from "../i18n.js";

/** @template Row */
export class Arrivals {
  /** @param {{id: (row: Row) => string | number, draw: () => void}} parts `draw` is called after a press */
  constructor({ id, draw }) {
    this.id = id;
    this.draw = draw;
    /** As they are shown. @type {Row[]} */
    this.rows = [];
    /** @type {Row[]} */
    this.latest = [];
    this.fresh = 0; // of the latest, how many are not shown
    /** @type {Set<string | number>} */
    this.gone = new Set(); // of what is shown, what is no more
  }

  /**
   * Where nothing is shown yet, nothing is in the way of what is new.
   * @param {Row[]} latest
   * @param {{whole?: boolean}} more `whole`: what is not among the latest is no more
   */
  learn(latest, { whole = true } = {}) {
    this.latest = latest;
    if (!this.rows.length) {
      this.take();
      return;
    }
    const known = new Map(latest.map((row) => [this.id(row), row]));
    this.rows = this.rows.map((row) => known.get(this.id(row)) ?? row);
    const shown = new Set(this.rows.map(this.id));
    this.gone = new Set(whole ? [...shown].filter((id) => !known.has(id)) : []);
    const before = this.fresh;
    this.fresh = latest.filter((row) => !shown.has(this.id(row))).length;
    if (this.fresh > before) announce(counted("ops.fresh", this.fresh));
  }

  /** All that is known is shown, and nothing else. */
  take() {
    this.rows = this.latest;
    this.fresh = 0;
    this.gone.clear();
  }

  #show = () => {
    this.take();
    this.draw();
    byId("content").focus({ preventScroll: true }); // the button is gone
  };

  /**
   * A line that is always there, and always as high: how many are new, or else `words`.
   * @param {unknown} words
   */
  line(words) {
    const { fresh } = this;
    // Two texts, and not one that goes from here to there.
    if (!fresh) return html`<p class="alert-line fresh" data-level="none"><span>${words}</span></p>`;
    return html`<p class="alert-line fresh" data-level="new">
      <span>${counted("ops.fresh", fresh)}</span>
      <button type="button" class="button small secondary" @click=${this.#show}>${t("ops.fresh.show")}</button>
    </p>`;
  }
}

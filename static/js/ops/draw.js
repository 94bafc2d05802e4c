// The draw of the next opening, or of the last one: its state, how many, and whether the beacon has spoken.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { at, figure } from "./format.js";
import { roomOf, unread } from "./parts.js";

/** The panel of one sale: a line where nothing is drawn, so that a draw that is announced later moves nothing. */
export class DrawPanel {
  /**
   * @param {{sale: import("./api.js").SaleApi, host: HTMLDetailsElement, entered: () => number | null}} parts
   *   entered: how many are there by the last look
   */
  constructor({ sale, host, entered }) {
    this.sale = sale;
    this.host = host;
    this.entered = entered;
    /** @type {Api.DrawShown | null} */
    this.known = null;
    this.room = roomOf(host, () => this.known !== null);
    unread(host, t("ops.draw.title"));
    this.ready = this.refresh();
  }

  async refresh() {
    try {
      const draw = await this.sale.draw();
      // As it is when the page is first seen; after that it is the operator's business.
      if (!this.known && !this.host.checkVisibility()) this.host.open = draw.state !== "none";
      this.known = draw;
      this.draw();
    } catch (error) {
      if (!this.known) unread(this.host, t("ops.draw.title"), error);
      // What stood there stays until the next look.
    }
  }

  /** Also when it is known by now how many are there. */
  draw() {
    const draw = this.known;
    if (draw === null) return;
    this.room.hold();
    this.#render(draw);
    this.room.fill();
  }

  /** @param {Api.DrawShown} draw */
  #render(draw) {
    if (draw.state === "none") {
      render(
        html`${title(t("ops.draw.none"))}
          <p class="quiet">${t("ops.draw.none_text")}</p>`,
        this.host,
      );
      return;
    }
    // `root` is there once the entries are frozen: after it nobody enters.
    const state = draw.state === "drawn" ? "drawn" : draw.root ? "drawing" : "announced";
    const { beacon } = draw;
    const late = state === "drawing" && beacon !== null;
    render(
      html`${title(t(`ops.draw.${state}`))}
        <dl class="seat-facts" data-testid="draw" data-state=${state}>
          <div>
            <dt>${t("ops.draw.state")}</dt>
            <dd>${t(`ops.draw.${state}`)}</dd>
          </div>
          <div>
            <dt>${t("ops.draw.at")}</dt>
            <dd>${draw.draw_at ? at(draw.draw_at) : "–"}</dd>
          </div>
          <div>
            <dt>${t("ops.draw.count")}</dt>
            <dd>${figure(draw.count ?? this.entered())}</dd>
          </div>
          <div>
            <dt>${t("ops.draw.beacon")}</dt>
            <dd>
              ${beacon ? html`${t("ops.draw.round", { round: figure(beacon.round) })} · ${t(beacon.value ? "ops.draw.spoken" : "ops.draw.silent")}<br /><code>${beacon.source}</code>` : t("ops.draw.no_beacon")}
            </dd>
          </div>
        </dl>
        <p><a href=${`/events/${this.sale.slug}/draw`}>${t("ops.draw.check")}</a></p>
        ${late ? html`<p class="callout" data-kind="warn">${t("ops.draw.waits")}</p>` : nothing}`,
      this.host,
    );
  }
}

/** @param {string} lead */
const title = (lead) =>
  html`<summary>
    <h2>${t("ops.draw.title")}</h2>
    <small>${lead}</small>
  </summary>`;

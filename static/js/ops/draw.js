// The draw of the next opening, or of the last one: its state, how many, and whether the beacon has spoken.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { at, figure } from "./format.js";

/** The panel of one sale; not there where nothing is drawn. */
export class DrawPanel {
  /**
   * @param {{sale: import("./api.js").SaleApi, host: HTMLElement, entered: () => number | null}} parts
   *   entered: how many are there by the last look
   */
  constructor({ sale, host, entered }) {
    this.sale = sale;
    this.host = host;
    this.entered = entered;
    /** @type {Api.DrawShown | null} */
    this.known = null;
    this.ready = this.refresh();
  }

  async refresh() {
    try {
      this.known = await this.sale.draw();
      this.draw();
    } catch {
      // What stood there stays until the next look.
    }
  }

  /** Also when it is known by now how many are there. */
  draw() {
    const draw = this.known;
    if (draw === null) return;
    this.host.hidden = draw.state === "none";
    if (draw.state === "none") return;
    // `root` is there once the entries are frozen: after it nobody enters.
    const state = draw.state === "drawn" ? "drawn" : draw.root ? "drawing" : "announced";
    const { beacon } = draw;
    const late = state === "drawing" && beacon !== null;
    render(
      html`<div class="head">
          <h2 id="draw-title">${t("ops.draw.title")}</h2>
          <a href=${`/events/${this.sale.slug}/draw`}>${t("ops.draw.check")}</a>
        </div>
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
        ${late ? html`<p class="callout" data-kind="warn">${t("ops.draw.waits")}</p>` : nothing}`,
      this.host,
    );
  }
}

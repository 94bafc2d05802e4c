// The waiting list of a sale: how long it is, what is on offer until when, and what came of the offers so far.
import { html, render } from "../../vendor/lit-html/lit-html.js";
import { moment, t } from "../i18n.js";
import { figure } from "./format.js";
import { ROOMY, roomOf, unread } from "./parts.js";

const FIGURES = /** @type {const} */ (["waiting", "offered", "seats", "kept", "taken", "lapsed"]);

/** The panel of one sale. */
export class WaitingList {
  /**
   * @param {{sale: import("./api.js").SaleApi, host: HTMLDetailsElement}} parts
   */
  constructor({ sale, host }) {
    this.sale = sale;
    this.host = host;
    this.known = false;
    this.room = roomOf(host, () => this.known);
    unread(host, t("ops.returns.title"));
    this.ready = this.refresh();
  }

  async refresh() {
    try {
      this.draw(await this.sale.waitingList());
    } catch (error) {
      if (!this.known) unread(this.host, t("ops.returns.title"), error);
      // What stood there stays until the next look.
    }
  }

  /** @param {Api.WaitingListOfSale} list */
  draw(list) {
    if (this.known) this.room.hold();
    // Nobody ever waited, nothing was given back: a line, until somebody wants more.
    if (!this.known) this.host.open = ROOMY && FIGURES.some((name) => list[name] > 0);
    this.known = true;
    render(
      html`<summary>
          <h2 id="waiting-list-title">${t("ops.returns.title")}</h2>
          <small
            >${t("ops.returns.waiting")} ${figure(list.waiting)} · ${t("ops.returns.offered")}
            ${figure(list.offered)}</small
          >
        </summary>
        <p class="quiet">${t("ops.returns.text")}</p>
        <dl class="facts small" data-testid="waiting-list-figures">
          ${FIGURES.map(
            (name) =>
              html`<div>
                <dt>${t(`ops.returns.${name}`)}</dt>
                <dd data-figure=${name}>${figure(list[name])}</dd>
              </div>`,
          )}
        </dl>
        <div
          class="scroll"
          tabindex="0"
          role="group"
          aria-labelledby="waiting-list-title"
          ?hidden=${list.places.length === 0}
        >
          <table data-testid="waiting-list">
            <thead>
              <tr>
                <th scope="col">${t("ops.returns.joined")}</th>
                <th scope="col">${t("ops.returns.wish")}</th>
                <th scope="col">${t("ops.returns.on_offer")}</th>
              </tr>
            </thead>
            <tbody>
              ${list.places.map(
                (place) =>
                  html`<tr>
                    <td>${moment(place.joined_at, list.time_zone)}</td>
                    <td>${figure(place.count)}${place.category ? ` · ${place.category}` : ""}</td>
                    <td>
                      ${place.until ? t("ops.returns.offer", { seats: place.offered.join(", "), until: moment(place.until, list.time_zone) }) : "–"}
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>`,
      this.host,
    );
    this.room.fill();
  }
}

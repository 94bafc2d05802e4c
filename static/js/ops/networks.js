// Whose places they are, by network, and who is kept out: for the operator who looks for a program among the buyers.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { figure } from "./format.js";
import { attempt, confirm } from "./notice.js";
import { roomOf, unread } from "./parts.js";

const SHOWN = 10; // networks, before all are asked for
const KEPT_OUT = 24 * 60; // minutes

/** The panel of one sale. */
export class Networks {
  /**
   * @param {{sale: import("./api.js").SaleApi, host: HTMLDetailsElement}} parts
   */
  constructor({ sale, host }) {
    this.sale = sale;
    this.host = host;
    /** @type {Api.NetworkOfSale[]} */
    this.networks = [];
    this.all = false;
    /**
     * What is shown, as it was first: a row stays where it is, also when nobody is left in it, and a new one comes below.
     * @type {string[]}
     */
    this.order = [];
    this.known = false;
    this.room = roomOf(host, () => this.known);
    unread(host, t("ops.networks.title"));
    this.ready = this.refresh();
  }

  async refresh() {
    try {
      this.networks = (await this.sale.networks()).networks;
      if (this.known) this.room.hold();
      this.known = true;
      this.draw();
      this.room.fill();
    } catch (error) {
      if (!this.known) unread(this.host, t("ops.networks.title"), error);
      // What stood there stays until the next look.
    }
  }

  /** @param {string} network */
  async keepOut(network) {
    const sure = await confirm({
      title: t("ops.networks.out_title", { network }),
      text: t("ops.networks.out_text"),
      go: t("ops.networks.out"),
    });
    if (!sure) return;
    await attempt(
      () => this.sale.keepOut(network, KEPT_OUT),
      () => t("ops.networks.out_done", { network }),
    );
    await this.refresh();
  }

  draw() {
    const { networks, all } = this;
    const of = new Map(networks.map((one) => [one.network, one]));
    const first = all ? networks : networks.slice(0, SHOWN);
    this.order = [...new Set([...this.order, ...first.map(({ network }) => network)])];
    // Where nobody looks nothing moves.
    if (!this.host.open) this.order = this.order.filter((one) => of.has(one));
    const shown = this.order.map((network) => of.get(network) ?? { network, places: 0, active: 0, seats_held: 0 });
    const more = networks.some(({ network }) => !this.order.includes(network));
    render(
      html`<summary>
          <h2 id="networks-title">${t("ops.networks.title")}</h2>
          <small>${networks.length ? `${networks[0].network} · ${figure(networks[0].places)}` : nothing}</small>
        </summary>
        <p class="quiet">
          ${shown.length ? t("ops.networks.text") : t("ops.networks.none")}
          <button type="button" class="link" ?data-off=${!more} @click=${() => this.#showAll()}>
            ${t("ops.networks.all", { number: figure(networks.length) })}
          </button>
        </p>
        <div class="scroll" tabindex="0" role="group" aria-labelledby="networks-title" ?hidden=${shown.length === 0}>
          <table data-testid="networks">
            <thead>
              <tr>
                <th scope="col">${t("ops.networks.network")}</th>
                <th scope="col">${t("ops.networks.places")}</th>
                <th scope="col">${t("ops.active")}</th>
                <th scope="col">${t("ops.held")}</th>
                <th scope="col"><span class="visually-hidden">${t("ops.networks.out")}</span></th>
              </tr>
            </thead>
            <tbody>
              ${shown.map(
                ({ network, places, active, seats_held }) =>
                  html`<tr>
                    <th scope="row"><code>${network}</code></th>
                    <td>${figure(places)}</td>
                    <td>${figure(active)}</td>
                    <td>${figure(seats_held)}</td>
                    <td>
                      <button
                        type="button"
                        class="button small secondary"
                        ?data-off=${places === 0}
                        aria-label=${`${t("ops.networks.out")}: ${network}`}
                        @click=${() => this.keepOut(network)}
                      >
                        ${t("ops.networks.out")}
                      </button>
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>`,
      this.host,
    );
  }

  #showAll() {
    this.all = true;
    this.draw();
  }
}

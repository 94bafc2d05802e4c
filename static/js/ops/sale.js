// The live page of one sale: figures, charts, controls, inspector. Drawn each second from one body.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { SaleActions } from "./actions.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { Chart, Series } from "./charts.js";
import { controls } from "./controls.js";
import { EventRefund } from "./event_refund.js";
import { DrawPanel } from "./draw.js";
import { at, figure, span } from "./format.js";
import { FIELDS, sampleOf, tiles } from "./figures.js";
import { Inspector } from "./inspector.js";
import { Networks } from "./networks.js";
import { WaitingList } from "./waiting_list.js";
import { why } from "./notice.js";
import { alertList, auditTable, fold, oneOf, ROOMY, salePill } from "./parts.js";
import { Phases } from "./phases.js";
import { Poll } from "./poll.js";
import { Room } from "./room.js";
import { SaleSettings } from "./sale_settings.js";
import { workings } from "./workings.js";

/** @type {[number, string][]} */
const RANGES = [
  [300, "ops.range.5"],
  [900, "ops.range.15"],
  [3600, "ops.range.60"],
];
const STATES = ["before", "open", "paused", "closed"];
const LATEST = 1500; // milliseconds
const MOST_TRAIL = 12;
const AUDIT_EVERY = 5; // looks at the figures; what is inspected is looked at as often

/**
 * @param {HTMLElement} root
 * @param {string} slug
 */
export function sale(root, slug) {
  new SalePage(root, slug);
}

class SalePage {
  /**
   * @param {HTMLElement} root
   * @param {string} slug
   */
  constructor(root, slug) {
    this.root = root;
    this.api = new api.SaleApi(slug);
    this.slug = slug;
    /** @type {Api.SaleFigures | null} */
    this.news = null;
    /** @type {unknown} */
    this.lost = null;
    this.seconds = 900;
    /** @type {Arrivals<Api.AuditEntry>} */
    this.trail = new Arrivals({ id: ({ id }) => id, draw: () => this.draw() });
    this.own = false; // something was done here: what the trail says of it is no news
    this.ready = false; // what takes room on this page is known, or long in coming
    this.looks = 0;
    /** @type {Inspector | null} */
    this.inspector = null;
    /** @type {SaleSettings | null} */
    this.settings = null;
    /** @type {Phases | null} */
    this.phases = null;
    /** @type {EventRefund | null} */
    this.cancelled = null;
    /** @type {Networks | null} */
    this.networks = null;
    /** @type {WaitingList | null} */
    this.waitingList = null;
    /** @type {DrawPanel | null} */
    this.drawing = null;
    /** @type {import("./controls.js").Draft} */
    this.draft = {
      limit: null,
      reconcile: null,
      mending: false,
      reconciling: new Busy(() => this.draw(), api.LONG),
    };
    /** Of what the comparison says. @type {Room | null} */
    this.compared = null;
    this.actions = new SaleActions(this.api, () => this.#changed());
    this.series = new Series(FIELDS);
    this.charts = charts();
    this.chartHost = element("div", "charts", ...this.charts.map((chart) => chart.element));
    this.poll = new Poll({
      ask: this.api.figures,
      got: (body) => this.#got(body),
      lost: (error) => this.#failed(error),
      away: ({ away }) => away.map((store) => t(`ops.away.${store}`)).join(" "),
    });
    this.draw();
    this.#history();
    this.poll.now();
    this.inspector = new Inspector({
      sale: this.api,
      actions: this.actions,
      host: byId("inspector"),
    });
    this.networks = new Networks({
      sale: this.api,
      host: /** @type {HTMLDetailsElement} */ (byId("networks")),
    });
    this.waitingList = new WaitingList({
      sale: this.api,
      host: /** @type {HTMLDetailsElement} */ (byId("returns")),
    });
    this.drawing = new DrawPanel({
      sale: this.api,
      host: /** @type {HTMLDetailsElement} */ (byId("draw")),
      entered: () => this.news?.admission?.entered ?? null,
    });
    this.settings = new SaleSettings({
      sale: this.api,
      host: byId("settings"),
      changed: () => this.#changed(),
    });
    this.phases = new Phases({
      sale: this.api,
      host: byId("phases"),
      changed: () => this.#changed(),
    });
    this.cancelled = new EventRefund({
      sale: this.api,
      host: byId("cancelled"),
      changed: () => this.#changed(),
    });
    const { networks, waitingList, drawing, settings, phases, cancelled } = this;
    void this.#prepared(networks, waitingList, drawing, settings, phases, cancelled);
  }

  /**
   * All at once, so that nothing moves; but figures wait for nobody for long.
   * @param {{ready: Promise<void>}[]} panels
   */
  async #prepared(...panels) {
    await Promise.race([
      Promise.all(panels.map(({ ready }) => ready)),
      new Promise((resolve) => setTimeout(resolve, LATEST)),
    ]);
    this.ready = true;
    this.#show();
  }

  /** Draws; what the address asked for may have been found before there was a desk to be seen. */
  #show() {
    const desk = this.root.querySelector(".sale-desk");
    const hidden = !(desk instanceof HTMLElement) || desk.hidden;
    this.draw();
    const shown = hidden && desk instanceof HTMLElement && !desk.hidden;
    if (shown) this.inspector?.appeared();
  }

  async #history() {
    try {
      const history = await this.api.history();
      const order = FIELDS.map((field) => history.fields.indexOf(field));
      const live = this.series.columns[0].map((_, row) => this.series.columns.map((column) => column[row]));
      this.series.load(history.samples.map((sample) => order.map((index) => sample[index] ?? null)));
      for (const sample of live) this.series.add(sample);
      this.#plot();
    } catch {
      // The charts begin now, then.
    }
  }

  /** @param {Api.SaleFigures} news */
  #got(news) {
    this.news = news;
    this.lost = null;
    this.series.add(sampleOf(news));
    const alarm = news.alerts.length ? `(${news.alerts.length}) ` : "";
    document.title = `${alarm}${figure(news.admission?.waiting)} · ${news.name}`;
    if (this.looks % AUDIT_EVERY === 0) {
      this.#audit();
      if (this.looks) {
        this.inspector?.refresh();
        this.settings?.refresh();
        this.phases?.refresh();
        this.cancelled?.refresh();
        this.networks?.refresh();
        this.waitingList?.refresh();
        this.drawing?.refresh();
      }
    }
    this.looks += 1;
    this.cancelled?.learn(news);
    this.#show();
    this.drawing?.draw();
    this.#plot();
  }

  /** @param {unknown} error */
  #failed(error) {
    this.lost = error;
    this.draw();
  }

  #changed() {
    this.looks = 0;
    this.own = true;
    this.poll.now();
  }

  async #audit() {
    const { own } = this;
    this.own = false;
    try {
      const { entries } = await api.audit({ subject: this.slug });
      this.trail.learn(entries.slice(0, MOST_TRAIL), { whole: false });
      if (own) this.trail.take();
      this.draw();
    } catch {
      this.own ||= own; // asked again with a later look, to which it is no news either
    }
  }

  #plot() {
    for (const chart of this.charts) chart.show(this.series, this.seconds);
  }

  /** @param {boolean} dryRun */
  reconcile = async (dryRun) => {
    if (this.draft.reconciling.on) return;
    this.draft.mending = !dryRun;
    this.draft.reconcile = null;
    this.draw();
    this.compared ??= new Room(byId("compared"));
    this.compared.free();
    this.compared.keep();
    await this.draft.reconciling.run(
      async () => {
        this.draft.reconcile = await this.api.reconcile(dryRun);
      },
      (error) => {
        this.draft.reconcile = { error: why(error) };
      },
    );
    this.compared.fill();
    this.#changed();
  };

  draw() {
    const { news, lost, ready } = this;
    const [latest] = this.trail.latest;
    const shown = Boolean((news && ready) || lost);
    render(
      html`
        ${
          shown
            ? html`<div class="head">
                <h1>${news?.name ?? this.slug}</h1>
                ${
                  news
                    ? oneOf(
                        STATES.map((state) => t(`ops.state.${state}`)),
                        salePill(news),
                      )
                    : nothing
                }
                ${news ? this.#switches(news) : nothing}
              </div>`
            : html`<h1 class="visually-hidden">${this.slug}</h1>`
        }
        <div class="sale-desk" ?hidden=${!shown}>
          ${news ? alertList(news.alerts, lost !== null) : nothing} ${news ? tiles(news) : nothing}
          ${fold("charts", t("ops.charts"), this.#charts(), { bare: true })}
          <div class="columns">
            <section class="card" id="inspector" aria-labelledby="find-title"></section>
            <div class="column">
              ${news ? controls(news, this) : nothing}
              <details class="card" id="draw"></details>
              <details class="card" id="settings"></details>
              <details class="card" id="phases"></details>
              <details class="card" id="cancelled"></details>
              ${news ? workings(news) : nothing}
            </div>
          </div>
          <div class="columns">
            <details class="card" id="returns"></details>
            <details class="card" id="networks" ?open=${ROOMY}></details>
          </div>
          ${/* Below all else, for what is done here stands in it at once. */ fold("trail", t("ops.audit.title"), this.#trail(), { lead: latest ? `${at(latest.at)} · ${latest.action}` : nothing, bare: true })}
        </div>
      `,
      this.root,
    );
  }

  #charts() {
    return html`<div class="segments" role="group" aria-label=${t("ops.range.label")}>
        ${RANGES.map(([seconds, key]) => html`<button type="button" aria-pressed=${this.seconds === seconds} @click=${() => this.#range(seconds)}>${t(key)}</button>`)}
      </div>
      ${this.chartHost}`;
  }

  #trail() {
    const { rows } = this.trail;
    return html`${this.trail.line(rows.length ? t("ops.audit.current") : t("ops.audit.none"))}
    ${rows.length ? auditTable(rows, { subject: false }) : nothing}`;
  }

  /**
   * Each in its place, whatever becomes of the sale under the finger of who is about to press one.
   * @param {Api.SaleFigures} news
   */
  #switches(news) {
    const { actions } = this;
    const words = [t("ops.open.go"), t("ops.resume.go"), t("ops.pause.go")];
    const acts = [actions.open, actions.resume, actions.pause];
    const first = news.status !== "open" ? 0 : news.paused ? 1 : 2;
    const primary = news.status === "open" ? news.paused : news.status === "before";
    return html`<div class="switches">
      <button type="button" class="button small ${primary ? "primary" : "secondary"}" @click=${acts[first]}>
        ${oneOf(words, words[first])}
      </button>
      <button
        type="button"
        class="button small secondary"
        ?data-off=${news.status === "closed"}
        @click=${actions.close}
      >
        ${t("ops.close.go")}
      </button>
      <a class="button small secondary" href=${`/events/${news.slug}`}>${t("ops.sale_page")}</a>
    </div>`;
  }

  /** @param {number} seconds */
  #range(seconds) {
    this.seconds = seconds;
    this.draw();
    this.#plot();
  }
}

function charts() {
  /** @param {number | null} value */
  const milliseconds = (value) => span(value === null ? null : value / 1000);
  return [
    new Chart({
      title: t("ops.chart.queue"),
      lines: [
        { field: "waiting", label: t("ops.waiting"), color: "--chart-1" },
        { field: "active", label: t("ops.active"), color: "--chart-2" },
        { field: "limit", label: t("ops.limit.name"), color: "--ink-3" },
      ],
    }),
    new Chart({
      title: t("ops.chart.seats"),
      lines: [
        { field: "sold", label: t("ops.sold"), color: "--chart-2" },
        { field: "held", label: t("ops.held"), color: "--chart-3" },
      ],
    }),
    new Chart({
      title: t("ops.chart.checkouts"),
      lines: [
        { field: "confirmed", label: t("ops.confirmed"), color: "--chart-2" },
        { field: "failed", label: t("ops.failed"), color: "--chart-4" },
      ],
    }),
    new Chart({
      title: t("ops.chart.checkout_time"),
      lines: [{ field: "checkout_p95_seconds", label: t("ops.checkout_p95"), color: "--chart-1", format: span }],
    }),
    new Chart({
      title: t("ops.chart.fanout"),
      lines: [{ field: "fanout_p95_ms", label: t("ops.fanout"), color: "--chart-3", format: milliseconds }],
    }),
  ];
}

/**
 * @param {string} name
 * @param {string} className
 * @param {Element[]} children
 */
function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

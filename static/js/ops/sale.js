// The live page of one sale: figures, charts, controls, inspector. Drawn each second from one body.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { SaleActions } from "./actions.js";
import * as api from "./api.js";
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
import { alertList, auditTable, fold, ROOMY, salePill } from "./parts.js";
import { Phases } from "./phases.js";
import { Poll } from "./poll.js";
import { SaleSettings } from "./sale_settings.js";
import { workings } from "./workings.js";

/** @type {[number, string][]} */
const RANGES = [
  [300, "ops.range.5"],
  [900, "ops.range.15"],
  [3600, "ops.range.60"],
];
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
    /** @type {Api.AuditEntry[]} */
    this.trail = [];
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
    this.draft = { limit: null, reconcile: null, reconciling: new Busy(() => this.draw(), api.LONG) };
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
    this.networks = new Networks({ sale: this.api, host: byId("networks") });
    this.waitingList = new WaitingList({
      sale: this.api,
      host: byId("returns"),
    });
    this.drawing = new DrawPanel({
      sale: this.api,
      host: byId("draw"),
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
    const first = !this.news;
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
    this.draw();
    // What the address asked for may have been found before there was a desk to be seen.
    if (first && document.activeElement === document.body) this.inspector?.focus();
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
    this.poll.now();
  }

  async #audit() {
    try {
      this.trail = (await api.audit({ subject: this.slug })).entries.slice(0, 12);
      this.draw();
    } catch {
      // Asked again with a later look.
    }
  }

  #plot() {
    for (const chart of this.charts) chart.show(this.series, this.seconds);
  }

  /** @param {boolean} dryRun */
  reconcile = async (dryRun) => {
    await this.draft.reconciling.run(
      async () => {
        this.draft.reconcile = await this.api.reconcile(dryRun);
      },
      (error) => {
        this.draft.reconcile = { error: why(error) };
      },
    );
    this.#changed();
  };

  draw() {
    const { news, lost, trail } = this;
    render(
      html`
        <div class="head">
          <h1>${news?.name ?? this.slug}</h1>
          ${news ? salePill(news) : nothing} ${news ? this.#switches(news) : nothing}
        </div>
        <div class="sale-desk" ?hidden=${!news && !lost}>
          ${news ? alertList(news.alerts, lost !== null) : nothing} ${news ? tiles(news) : nothing}
          ${fold("charts", t("ops.charts"), this.#charts(), { bare: true })}
          <div class="columns">
            <section class="card" id="inspector" aria-labelledby="find-title"></section>
            <div class="column">
              ${news ? controls(news, this) : nothing}
              <section class="card" id="draw" aria-labelledby="draw-title" hidden></section>
              <details class="card" id="settings" hidden></details>
              <details class="card" id="phases" hidden></details>
              <details class="card" id="cancelled" hidden></details>
              ${news ? workings(news) : nothing}
            </div>
          </div>
          <details class="card" id="returns" ?open=${ROOMY} hidden></details>
          <details class="card" id="networks" ?open=${ROOMY} hidden></details>
          ${fold("trail", t("ops.audit.title"), this.#trail(), { lead: trail.length ? `${at(trail[0].at)} · ${trail[0].action}` : nothing, bare: true })}
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
    if (!this.trail.length) return html`<p class="quiet">${t("ops.audit.none")}</p>`;
    return auditTable(this.trail, { subject: false });
  }

  /** @param {Api.SaleFigures} news */
  #switches(news) {
    const { actions } = this;
    /**
     * @param {string} kind
     * @param {() => void} action
     * @param {string} text
     */
    const button = (kind, action, text) =>
      html`<button type="button" class="button small ${kind}" @click=${action}>${text}</button>`;
    return html`<div class="switches">
      ${news.status === "open" && !news.paused ? button("secondary", actions.pause, t("ops.pause.go")) : nothing}
      ${news.status === "open" && news.paused ? button("primary", actions.resume, t("ops.resume.go")) : nothing}
      ${news.status === "open" ? nothing : button(news.status === "before" ? "primary" : "secondary", actions.open, t("ops.open.go"))}
      ${news.status === "closed" ? nothing : button("secondary", actions.close, t("ops.close.go"))}
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

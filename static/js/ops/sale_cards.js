// The sales of the overview: a card each, with what happens now as figures and, where a sale is open, as a chart. A card
// stays where it is: a sale that opens, ends or is made meanwhile takes its place after a press.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { moment, t } from "../i18n.js";
import { SaleApi } from "./api.js";
import { Chart, Series } from "./charts.js";
import { figure, percent } from "./format.js";
import { salePill } from "./parts.js";

const MOST_CHARTS = 12; // each asks once for its last hour, and draws every two seconds
const SECONDS = 900;
const FIELDS = ["at", "waiting", "active"];

class Live {
  /** @param {string} slug */
  constructor(slug) {
    this.series = new Series(FIELDS);
    this.chart = new Chart({
      title: t("ops.chart.queue"),
      lines: [
        { field: "waiting", label: t("ops.waiting"), color: "--chart-1" },
        { field: "active", label: t("ops.active"), color: "--chart-2" },
      ],
      height: 120,
    });
    void this.#begin(slug);
  }

  /** @param {string} slug */
  async #begin(slug) {
    try {
      const { fields, samples } = await new SaleApi(slug).history();
      const order = FIELDS.map((field) => fields.indexOf(field));
      const seen = this.series.columns[0].map((_, row) => this.series.columns.map((column) => column[row]));
      this.series.load(samples.map((sample) => order.map((index) => sample[index] ?? null)));
      for (const sample of seen) this.series.add(sample);
      this.chart.show(this.series, SECONDS);
    } catch {
      // The chart begins now, then.
    }
  }

  /**
   * @param {Api.SaleSummary} sale
   * @param {number} now seconds
   */
  learn(sale, now) {
    this.series.add([now, sale.waiting, sale.active]);
    this.chart.show(this.series, SECONDS);
  }
}

/** @param {Api.SaleSummary[]} sales */
function placesOf(sales) {
  const [open, before, closed] = ["open", "before", "closed"].map((status) =>
    sales.filter((sale) => sale.status === status).map(({ slug }) => slug),
  );
  return [open, [...before, ...closed]];
}

export class SaleCards {
  constructor() {
    /** @type {Map<string, Live>} */
    this.live = new Map();
    /** The slugs as they are shown: what was open, then the others. @type {string[][]} */
    this.places = [];
    /** The same by what is known now. @type {string[][]} */
    this.latest = [];
  }

  /** Whether other sales are shown, or elsewhere, than what is known now would have it. */
  get old() {
    return JSON.stringify(this.places) !== JSON.stringify(this.latest);
  }

  take() {
    this.places = this.latest;
  }

  /** @param {Api.Overview} news */
  learn({ now, sales }) {
    if (sales) {
      this.latest = placesOf(sales);
      if (!this.places.flat().length) this.take();
    }
    const charted = this.places[0]?.slice(0, MOST_CHARTS) ?? [];
    const open = (sales ?? []).filter(({ slug }) => charted.includes(slug));
    for (const slug of this.live.keys()) if (!open.some((sale) => sale.slug === slug)) this.live.delete(slug);
    for (const sale of open) {
      const live = this.live.get(sale.slug) ?? new Live(sale.slug);
      this.live.set(sale.slug, live);
      live.learn(sale, Date.parse(now) / 1000);
    }
  }

  /**
   * What is open, with its charts; then what is to come and what is over.
   * @param {Api.SaleSummary[]} sales
   */
  draw(sales) {
    const known = new Map(sales.map((sale) => [sale.slug, sale]));
    return this.places
      .map((slugs) => slugs.flatMap((slug) => known.get(slug) ?? []))
      .filter((list) => list.length)
      .map((list) => this.#list(list));
  }

  /** @param {Api.SaleSummary[]} sales */
  #list(sales) {
    return html`<ul class="sale-list">
      ${repeat(
        sales,
        ({ slug }) => slug,
        (sale) => this.#card(sale),
      )}
    </ul>`;
  }

  /** @param {Api.SaleSummary} sale */
  #card(sale) {
    const sold = sale.sold === null ? null : sale.sold / Math.max(1, sale.seats);
    const where = [sale.starts_at ? moment(sale.starts_at, sale.time_zone) : "", sale.venue]
      .filter(Boolean)
      .join(" · ");
    return html`<li class="sale-card" data-state=${sale.status}>
      <a href=${`/ops/events/${sale.slug}`} ?data-plain=${!sale.picture}>
        ${sale.picture ? html`<img src=${sale.picture.url} width=${sale.picture.width} height=${sale.picture.height} alt="" />` : nothing}
        <span class="name">${sale.name} <small>${sale.slug}</small></span>
        ${salePill(sale)} ${where ? html`<span class="where">${where}</span>` : nothing}
      </a>
      <div class="numbers">
        <span class="number"><b>${figure(sale.waiting)}</b> ${t("ops.waiting")}</span>
        <span class="number"><b>${figure(sale.active)}</b> / ${figure(sale.active_limit)} ${t("ops.active")}</span>
        <span class="number"
          ><b>${sold === null ? "–" : percent(sold)}</b> ${t("ops.sold")} · ${figure(sale.sold)} /
          ${figure(sale.seats)}</span
        >
      </div>
      <progress class="sold" max="1" .value=${sold ?? 0} aria-label=${`${sale.name}: ${t("ops.sold")}`}></progress>
      ${this.live.get(sale.slug)?.chart.element ?? nothing}
    </li>`;
  }
}

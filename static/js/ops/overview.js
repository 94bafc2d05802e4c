// All sales at a glance, and what they stand on.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { force } from "./actions.js";
import { figure, span } from "./format.js";
import { alertList, circuitList, pill } from "./parts.js";
import { Poll } from "./poll.js";
import { SaleCards } from "./sale_cards.js";

const KIND = { UP: "good", DEGRADED: "warn", DOWN: "bad" };

/** @param {HTMLElement} root */
export function overview(root) {
  /** @type {Api.Overview | null} */
  let news = null;
  const cards = new SaleCards();
  const draw = () => render(page(news, poll.failures > 0, cards, { refresh: () => poll.now(), show }), root);
  const show = () => {
    cards.take();
    draw();
    root.focus({ preventScroll: true }); // the button is gone
    void poll.now();
  };
  const poll = new Poll({
    ask: api.overview,
    every: 2000,
    // What was known of the sales stays in its place; the bar says that it is old.
    away: ({ sales }) =>
      sales === null ? `${news?.sales ? t("ops.stale") : ""} ${t("ops.away.postgresql")}`.trim() : "",
    got: (body) => {
      news = { ...body, sales: body.sales ?? news?.sales ?? null };
      cards.learn(body);
      document.title = `${body.alerts.length ? `(${body.alerts.length}) ` : ""}${t("ops.title")} · Onsale`;
      draw();
    },
    lost: draw,
  });
  poll.now();
}

/**
 * @param {Api.Overview | null} news
 * @param {boolean} old
 * @param {SaleCards} cards
 * @param {{refresh: () => void, show: () => void}} acts
 */
function page(news, old, cards, { refresh, show }) {
  if (!news) return html`<h1>${t("ops.title")}</h1>`;
  return html`
    <div class="head">
      <h1>${t("ops.title")}</h1>
      ${pill(KIND[news.status], t(`ops.health.${news.status}`))}
    </div>
    ${alertList(news.alerts, old)}
    <section aria-labelledby="sales-title">
      <div class="head">
        <h2 id="sales-title">${t("ops.nav.sales")}</h2>
        <button type="button" class="button small secondary" ?data-off=${!cards.old} @click=${show}>
          ${t("ops.sales.changed")}
        </button>
        <a class="button small secondary new-sale" href="/ops/new">${t("ops.new.title")}</a>
      </div>
      ${
        news.sales === null
          ? html`<p class="callout" data-kind="bad">${t("ops.away.postgresql")}</p>`
          : news.sales.length
            ? cards.draw(news.sales)
            : html`<p class="quiet">${t("ops.no_sales")}</p>`
      }
    </section>
    <div class="columns">
      <section class="card" aria-labelledby="circuits-title">
        <h2 id="circuits-title">${t("ops.circuit.title")}</h2>
        ${circuitList(news.circuits, (provider, state) => force(provider, state, refresh))}
      </section>
      <section class="card" aria-labelledby="health-title">
        <h2 id="health-title">${t("ops.health.title")}</h2>
        <ul class="components">
          ${Object.entries(news.components).map(([name, one]) => component(name, one))}
        </ul>
        <p class="letters-left">
          ${news.dead_letters ? html`<a href="/ops/dead-letters">${t("ops.dead.waiting", { number: figure(news.dead_letters) })}</a>` : html`<span class="quiet">${t("ops.dead.none")}</span>`}
        </p>
        ${Object.entries(news.components).map(([name, one]) => fault(name, one))}
      </section>
    </div>
  `;
}

/**
 * What a component says is wrong: below all else, where it moves nothing.
 * @param {string} name
 * @param {Api.ComponentHealth} one
 */
const fault = (name, one) =>
  one.detail?.error
    ? html`<p class="callout" data-kind="bad"><strong>${name}</strong>: ${one.detail.error}</p>`
    : nothing;

/**
 * @param {string} name
 * @param {Api.ComponentHealth} one
 */
const component = (name, one) =>
  html`<li>
    <strong>${name}</strong>
    <span class="state">${pill(KIND[one.status], t(`ops.health.${one.status}`))}</span>
    <small
      >${one.latency_ms == null ? nothing : span(one.latency_ms / 1000)}
      ${one.detail?.bus === "local" ? t("ops.health.local_bus") : nothing}</small
    >
  </li>`;

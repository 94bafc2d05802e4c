// What can be turned: the active limit, the circuits, the comparison of the stores.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { t } from "../i18n.js";
import { force } from "./actions.js";
import { figure } from "./format.js";
import { circuitList, fold } from "./parts.js";

/** @typedef {Api.Reconciled | {error: string}} Report */
/**
 * What is typed and not sent yet; the comparison that is under way, and what the last one said.
 * @typedef {{limit: string | null, reconcile: Report | null, mending: boolean, reconciling: import("../busy.js").Busy}} Draft
 */

/**
 * What the controls need of their page.
 * @typedef {object} SalePage
 * @property {Draft} draft
 * @property {Console.SaleActions} actions
 * @property {{now(): void}} poll
 * @property {{seat(ordinal: number): void} | null} inspector
 * @property {(dryRun: boolean) => void} reconcile
 * @property {() => void} draw
 */

/**
 * The slider's end: twice what is set, rounded up to a figure that ends in zeros.
 * @param {number} limit
 */
function most(limit) {
  const step = 10 ** Math.max(2, Math.floor(Math.log10(limit * 2)));
  return Math.ceil((limit * 2) / step) * step;
}

/**
 * @param {Api.SaleFigures} news
 * @param {SalePage} page
 */
export function controls(news, page) {
  const { draft } = page;
  // What is typed, as it is typed: an empty box is on the way to something.
  const value = draft.limit ?? String(news.active_limit);
  const wanted = /^[1-9]\d{0,5}$/.test(value) ? Number(value) : null;
  /** @param {InputOf<HTMLInputElement>} event */
  const set = (event) => {
    draft.limit = event.target.value;
    page.draw();
  };
  /** @param {Event} event */
  const apply = async (event) => {
    event.preventDefault();
    if (wanted === null || wanted === news.active_limit) return;
    await page.actions.limit(wanted);
    draft.limit = null;
    page.draw();
  };
  const turned = news.circuits.filter(({ mode }) => mode !== "CLOSED");
  const lead = [
    `${t("ops.limit.name")} ${figure(news.active_limit)}`,
    ...turned.map(({ provider, mode }) => `${provider}: ${t(`ops.circuit.${mode}`)}`),
  ];
  const content = html`
    <form class="limit" @submit=${apply}>
      <label for="limit">${t("ops.limit.label")}</label>
      <input
        id="limit-range"
        type="range"
        min="1"
        max=${most(news.active_limit)}
        .value=${live(String(wanted ?? news.active_limit))}
        aria-label=${t("ops.limit.label")}
        @input=${set}
      />
      <input id="limit" type="number" inputmode="numeric" min="1" max="999999" .value=${live(value)} @input=${set} />
      <button class="button small primary" type="submit" ?disabled=${wanted === null || wanted === news.active_limit}>
        ${t("ops.limit.go")}
      </button>
    </form>
    <p class="hint">${t("ops.limit.hint", { number: figure(news.active_limit) })}</p>
    <p class="hint cap">
      ${news.admission?.cap != null ? t("ops.limit.cap", { number: figure(news.admission.cap) }) : nothing}
    </p>
    <h3>${t("ops.circuit.title")}</h3>
    ${circuitList(news.circuits, (provider, state) => force(provider, state, () => page.poll.now()))}
    <h3>${t("ops.reconcile.title")}</h3>
    <p class="hint">${t("ops.reconcile.hint")}</p>
    <div class="actions">${comparing(page, false)} ${comparing(page, true)}</div>
    <p class="visually-hidden" role="status">${draft.reconciling.on ? t("ops.reconcile.busy") : nothing}</p>
    <div class="answer" id="compared">${draft.reconcile ? reconciled(draft.reconcile, page) : nothing}</div>
  `;
  return fold("controls", t("ops.controls"), content, { lead: lead.join(" · "), alarming: turned.length > 0 });
}

/**
 * The spinner takes the place of the words: it comes and goes, and nothing moves.
 * @param {SalePage} page
 * @param {boolean} mends
 */
function comparing({ draft, reconcile }, mends) {
  const under = draft.reconciling.on && draft.mending === mends;
  return html`<button
    type="button"
    class="button small secondary waits"
    aria-disabled=${draft.reconciling.on}
    aria-busy=${under}
    @click=${() => reconcile(!mends)}
  >
    <span>${mends ? t("ops.reconcile.mend") : t("ops.reconcile.check")}</span>
    ${under ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
  </button>`;
}

/**
 * @param {Report} report
 * @param {SalePage} page
 */
function reconciled(report, page) {
  if ("error" in report) return html`<p class="callout" data-kind="bad" role="alert">${report.error}</p>`;
  return html`
    <p class="callout" data-kind=${report.found.length > report.mended ? "warn" : "good"} role="status">
      ${t("ops.reconcile.done", { seats: figure(report.seats), found: figure(report.found.length), mended: figure(report.mended) })}
    </p>
    ${
      report.found.length
        ? html`<ul class="mismatches">
            ${report.found.slice(0, 50).map(
              (one) =>
                html`<li>
                  <button type="button" class="link" @click=${() => page.inspector?.seat(one.seat)}>
                    #${one.seat}
                  </button>
                  <code>${one.kind}</code> <small>Redis: ${one.redis} · PostgreSQL: ${one.database}</small>
                </li>`,
            )}
          </ul>`
        : nothing
    }
  `;
}

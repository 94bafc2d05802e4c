// A performance that does not take place: everybody's money goes back, by one job whose report is followed here.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Refusal } from "../api.js";
import { Busy } from "../busy.js";
import { counted, money, t } from "../i18n.js";
import { errorSummary, faultsOf } from "./error_summary.js";
import { field, goToFirst } from "./field.js";
import { at, figure } from "./format.js";
import { confirm, tell, why } from "./notice.js";
import { pill, roomOf, said, tile, unread } from "./parts.js";

/** The same from every console: two operators at once start one job. */
const KEY = "the-event-is-cancelled";
const MOST_REASON = 200; // characters: web/ops/schemas.py

/** @type {Record<string, string>} */
const KIND = { RUNNING: "warn", STOPPED: "bad", DONE: "good" };

export class EventRefund {
  /**
   * `changed()` is told when the sale was ended by it.
   * @param {{sale: Console.SaleApi, host: HTMLElement, changed: () => void}} parts
   */
  constructor({ sale, host, changed }) {
    this.sale = sale;
    this.host = host;
    this.changed = changed;
    this.id = "cancelled";
    this.fields = { cancelled_reason: "" };
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.tried = false;
    this.busy = new Busy(() => this.draw());
    this.pressed = false;
    this.failure = "";
    /** @type {Api.EventRefundReport[] | null} */
    this.reports = null;
    /** @type {Api.SaleFigures | null} */
    this.news = null;
    this.room = roomOf(host, () => this.reports !== null);
    unread(host, t("ops.cancelled.title"));
    this.ready = this.refresh();
  }

  /** @param {Api.SaleFigures} news */
  learn(news) {
    this.news = news;
    if (this.reports?.some((one) => one.state === "RUNNING")) void this.refresh();
  }

  async refresh() {
    if (this.busy.on) return;
    try {
      const { refunds } = await this.sale.refunds();
      // A report instead of a form, another line of it: it lies open, and what is below stays.
      if (this.reports) this.room.hold();
      this.reports = refunds;
      this.draw();
      this.room.fill();
    } catch (error) {
      if (!this.reports) unread(this.host, t("ops.cancelled.title"), error);
      // Asked again with a later look; the figures above say that nothing answers.
    }
  }

  /**
   * @param {string} _
   * @param {HTMLInputElement} input
   */
  typed = (_, input) => {
    this.fields.cancelled_reason = input.value;
    if (this.tried) this.#check();
    this.draw();
  };

  #check() {
    const reason = this.fields.cancelled_reason.trim();
    this.wrong = new Map(reason && reason.length <= MOST_REASON ? [] : [["cancelled_reason", "refund_reason"]]);
  }

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    if (this.busy.on) return;
    this.tried = true;
    this.#check();
    this.draw();
    if (this.wrong.size) {
      goToFirst(this.host);
      return;
    }
    const { news } = this;
    const sold = news?.sales
      ? t("ops.cancelled.sure_sold", {
          seats: counted("seats.count", news.sales.sold),
          amount: money(news.sales.revenue, news.currency),
        })
      : "";
    const sure = await confirm({
      title: t("ops.cancelled.sure"),
      text: `${sold} ${t("ops.cancelled.sure_text")}`.trim(),
      go: t("ops.cancelled.go"),
      word: this.sale.slug,
    });
    if (sure) await this.#start(KEY, this.fields.cancelled_reason.trim());
  };

  /**
   * @param {string} key
   * @param {string} reason
   */
  async #start(key, reason) {
    this.failure = "";
    this.pressed = true;
    this.room.keep();
    await this.busy.run(
      async () => {
        await this.sale.refundAll(key, reason);
        tell(t("ops.cancelled.begun"));
      },
      (error) => {
        const other = error instanceof Refusal && error.code === "idempotency_key_reused";
        this.failure = other ? t("ops.cancelled.other") : why(error);
      },
    );
    await this.refresh();
    this.draw();
    this.changed();
  }

  draw() {
    const { reports, failure } = this;
    if (!reports) return;
    render(
      html`
        <summary>
          <h2>${t("ops.cancelled.title")}</h2>
          <small
            >${reports.length ? t(`ops.cancelled.state.${reports[reports.length - 1].state}`) : t("ops.cancelled.lead")}</small
          >
        </summary>
        ${reports.map((one) => this.#report(one))} ${reports.length ? nothing : this.#form()}
        ${said(this.pressed, failure ? html`<p class="callout" data-kind="bad" role="alert">${failure}</p>` : nothing)}
      `,
      this.host,
    );
  }

  #form() {
    return html`<form class="sale-form" novalidate @submit=${this.#submit}>
      <p class="hint">${t("ops.cancelled.text")}</p>
      ${field(this, "cancelled_reason", { hint: t("ops.cancelled.reason_hint") })}
      ${this.wrong.size ? errorSummary(faultsOf(this)) : nothing}
      <div class="actions">
        <button class="button small danger" type="submit" aria-disabled=${this.busy.on}>
          ${t("ops.cancelled.go")}
        </button>
      </div>
    </form>`;
  }

  /** @param {Api.EventRefundReport} one */
  #report(one) {
    const currency = this.news?.currency ?? "";
    /** @param {number} amount */
    const sum = (amount) => (currency ? money(amount, currency) : figure(amount));
    const all = one.done + one.pending + one.left + one.paying;
    return html`<div class="report" data-testid="event-refund" data-state=${one.state}>
      <p>${pill(KIND[one.state] ?? "plain", t(`ops.cancelled.state.${one.state}`))}</p>
      <p>
        ${one.reason}
        <small>${t("ops.cancelled.by", { who: one.asked_by, time: at(one.created_at) })}</small>
      </p>
      <progress max=${Math.max(1, all)} value=${one.done} aria-label=${t("ops.cancelled.progress")}></progress>
      <dl class="tiles small">
        ${tile(t("ops.cancelled.done"), figure(one.done), { note: sum(one.amount) })}
        ${tile(t("ops.cancelled.pending"), figure(one.pending))}
        ${tile(t("ops.cancelled.left"), figure(one.left), { note: one.paying ? t("ops.cancelled.paying", { number: figure(one.paying) }) : nothing })}
        ${tile(t("ops.cancelled.refused"), figure(one.refused), { level: one.refused ? "fail" : "" })}
        ${tile(t("ops.cancelled.people"), figure(one.people), { level: one.people ? "fail" : "" })}
      </dl>
      ${
        one.state === "STOPPED"
          ? html`<p class="callout" data-kind="bad" role="alert">
                ${t("ops.cancelled.stopped", { code: one.code ?? "–" })}
              </p>
              <div class="actions">
                <button
                  type="button"
                  class="button small primary"
                  aria-disabled=${this.busy.on}
                  @click=${() => this.#start(one.key, one.reason)}
                >
                  ${t("ops.cancelled.again")}
                </button>
              </div>`
          : nothing
      }
      ${
        one.unmade.length
          ? html`<h3>${t("ops.cancelled.unmade")}</h3>
              <ul class="found">
                ${one.unmade.map(
                  (refund) =>
                    html`<li>
                      <a class="mono" href=${`/ops/refunds#find=${refund.reservation}`}>${refund.reservation}</a>
                      ${refund.needs_person_at ? pill("bad", t("ops.refund.state.person")) : pill("warn", t("ops.refund.state.refused"))}
                      <small
                        >${sum(refund.amount)} · <code>${refund.code}</code> ·
                        ${refund.next_try_at ? t("ops.refund.next", { time: at(refund.next_try_at) }) : t("ops.refund.no_next")}</small
                      >
                    </li>`,
                )}
              </ul>`
          : nothing
      }
    </div>`;
  }
}

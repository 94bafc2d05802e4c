// The refund desk: a reservation is found, its money is seen, and some or all of it goes back.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { money, t } from "../i18n.js";
import { askedInAddress } from "./address.js";
import * as api from "./api.js";
import { seatName } from "../seat_words.js";
import { at } from "./format.js";
import { attempt, sorry } from "./notice.js";
import { MailForm } from "./mail_form.js";
import { pill, statusPill } from "./parts.js";
import { Poll } from "./poll.js";
import { RefundForm } from "./refund_form.js";

const EVERY = 2000; // milliseconds, while a reservation is shown

/** @param {HTMLElement} root */
export function refunds(root) {
  new Desk(root);
}

class Desk {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {Api.FoundReservation[] | null} */
    this.found = null;
    /** Whose money is shown. @type {Api.FoundReservation | null} */
    this.chosen = null;
    /** @type {Api.ReservationAccount | null} */
    this.account = null;
    /** @type {RefundForm | null} */
    this.form = null;
    /** @type {MailForm | null} */
    this.mail = null;
    this.busy = new Busy(() => this.draw());
    this.retrying = new Busy(() => this.draw());
    document.title = `${t("ops.refund.title")} · Onsale`;
    this.poll = new Poll({
      ask: async () => (this.chosen ? await api.account(this.chosen.id) : null),
      every: EVERY,
      got: (account) => {
        this.#took(account);
      },
    });
    this.draw();
    askedInAddress((text) => this.look(text));
  }

  /** @param {string} typed */
  async look(typed) {
    const text = typed.trim();
    if (!text || this.busy.on) return;
    /** @type {HTMLInputElement | null} */
    const input = this.root.querySelector("#find");
    if (input) input.value = text;
    await this.busy.run(async () => {
      this.found = (await api.findReservations(text)).reservations;
      this.#choose(this.found.length === 1 ? this.found[0] : null);
    }, sorry);
    this.draw();
    /** @type {HTMLElement | null} */
    const shown = this.root.querySelector("[data-result]");
    shown?.focus({ preventScroll: true });
  }

  /** @param {Api.FoundReservation | null} one */
  #choose(one) {
    this.chosen = one;
    this.account = null;
    this.form = null;
    this.mail = null;
    this.draw();
    if (one) this.poll.now();
  }

  /** @param {Api.ReservationAccount | null} account */
  #took(account) {
    if (!account || account.id !== this.chosen?.id) return;
    this.account = account;
    this.form ??= new RefundForm({ id: account.id, draw: () => this.draw(), changed: () => this.poll.now() });
    this.mail ??= new MailForm({ id: account.id, draw: () => this.draw(), corrected: () => this.#learnBuyer() });
    this.form.learn(account);
    this.draw();
  }

  /** The buyer's address is another one now. */
  async #learnBuyer() {
    const id = this.chosen?.id;
    if (!id) return;
    const found = await attempt(() => api.findReservations(id));
    if (!found || this.chosen?.id !== id) return;
    this.chosen = found.reservations[0] ?? this.chosen;
    this.found = this.found?.map((one) => (one.id === id && this.chosen ? this.chosen : one)) ?? null;
    this.draw();
  }

  /** Refunds that are owed are tried at once. */
  #retry = async () => {
    const { account } = this;
    if (!account || this.retrying.on) return;
    await this.retrying.run(() => api.diagnose({ reservation: account.id, fix: true }), sorry);
    this.poll.now();
  };

  draw() {
    /** @param {InputOf<HTMLFormElement>} event */
    const submit = (event) => {
      event.preventDefault();
      this.look(String(new FormData(event.target).get("find") ?? ""));
    };
    render(
      html`
        <div class="head"><h1>${t("ops.refund.title")}</h1></div>
        <section class="card desk" aria-labelledby="desk-find">
          <h2 id="desk-find">${t("ops.refund.find")}</h2>
          <form class="find" role="search" @submit=${submit}>
            <label class="visually-hidden" for="find">${t("ops.refund.find_label")}</label>
            <input
              id="find"
              name="find"
              type="search"
              autocomplete="off"
              autocapitalize="off"
              spellcheck="false"
              placeholder="kim@example.org"
            />
            <button
              class="button small primary waits"
              type="submit"
              aria-busy=${this.busy.on}
              aria-disabled=${this.busy.on}
            >
              <span>${t("ops.find.go")}</span>
              ${this.busy.on ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
            </button>
          </form>
          <p class="hint">${t("ops.refund.find_hint")}</p>
          <div class="result" data-result tabindex="-1" aria-busy=${this.busy.on}>${this.#list()}</div>
        </section>
        ${this.account && this.form ? this.#shown(this.account, this.form) : this.chosen ? html`<p class="quiet" role="status">${t("loading.title")}</p>` : nothing}
      `,
      this.root,
    );
  }

  #list() {
    const { found } = this;
    if (!found) return nothing;
    if (!found.length) return html`<p class="quiet">${t("ops.find.nothing")}</p>`;
    return html`<ul class="found">
      ${found.map(
        (one) =>
          html`<li>
            <button
              type="button"
              class="link"
              aria-pressed=${one.id === this.chosen?.id}
              @click=${() => this.#choose(one)}
            >
              ${at(one.created_at)} · ${one.email}
            </button>
            ${statusPill(one.status)}
            <small>${one.event} · ${money(one.amount, one.currency)} · <span class="mono">${one.id}</span></small>
          </li>`,
      )}
    </ul>`;
  }

  /**
   * @param {Api.ReservationAccount} account
   * @param {RefundForm} form
   */
  #shown(account, form) {
    return html`<div class="account">
      <section class="card" aria-labelledby="desk-money">
        <div class="head">
          <h2 id="desk-money">${account.event_name}</h2>
          ${statusPill(account.status)}
        </div>
        <dl class="seat-facts">
          ${fact(t("ops.refund.buyer"), this.chosen?.email)}
          ${fact(t("ops.refund.number"), html`<span class="mono">${account.id}</span>`)}
          ${fact(t("ops.refund.paid"), money(account.amount, account.currency))}
          ${fact(t("ops.refund.given"), money(account.refunded, account.currency))}
          ${fact(t("ops.refund.left"), html`<strong>${money(account.amount - account.refunded, account.currency)}</strong>`)}
        </dl>
        <h3>${t("ops.refund.seats")}</h3>
        <ul class="desk-seats">
          ${account.seats.map(
            (seat) =>
              html`<li data-gone=${!seat.live}>
                <span>${seatName(seat)} <small>${seat.category}</small></span>
                <span ?data-off=${seat.live}>${pill("plain", t("ops.refund.seat_gone"))}</span>
                <span class="amount">${money(seat.price, account.currency)}</span>
              </li>`,
          )}
        </ul>
        <p class="actions">
          <a class="button small secondary" href=${`/ops/events/${account.event}#find=${account.id}`}
            >${t("ops.refund.why")}</a
          >
        </p>
      </section>
      <div class="column">${form.card(account)} ${form.begun && this.mail ? this.mail.card(account) : nothing}</div>
      ${this.#movements(account)}
    </div>`;
  }

  /**
   * Below all else, for it grows: what can be done about it stands above it.
   * @param {Api.ReservationAccount} account
   */
  #movements(account) {
    const owed = account.refunds.some((one) => one.state === "PENDING");
    return html`<section class="card" aria-labelledby="desk-moves">
      <div class="head">
        <h2 id="desk-moves">${t("ops.refund.moves")}</h2>
        <button
          type="button"
          class="button small secondary"
          ?data-off=${!owed}
          aria-disabled=${this.retrying.on}
          @click=${this.#retry}
        >
          ${t("ops.refund.retry")}
        </button>
      </div>
      <ol class="moves">
        ${account.attempts.map((one) => paid(one, account.currency))}
        ${account.refunds.map((one) => givenBack(one, account))}
      </ol>
    </section>`;
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
const fact = (name, value) =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;

/** @type {Record<string, string>} */
const ATTEMPT_KIND = { APPROVED: "good", DECLINED: "bad", OPEN: "warn", AUTHORISED: "warn", CALLED: "warn" };

/**
 * @param {Api.AccountAttempt} one
 * @param {string} currency
 */
const paid = (one, currency) =>
  html`<li>
    <div class="head">
      <strong class="amount">${money(one.amount, currency)}</strong>
      <span>${one.provider}</span>
      ${pill(ATTEMPT_KIND[one.state] ?? "plain", t(`ops.attempt.${one.state}`))}
      <span class="time">${at(one.approved_at ?? one.created_at)}</span>
    </div>
    <small>
      <span class="mono">${one.order}</span>
      ${one.method ? ` · ${one.method}` : nothing}
      ${one.approval_number ? ` · ${t("ops.refund.approval", { number: one.approval_number })}` : nothing}
      ${one.code ? html` · <code>${one.code}</code>` : nothing}
      ${one.receipt_url ? html` · <a href=${one.receipt_url} rel="noopener noreferrer">${t("ops.refund.receipt")}</a>` : nothing}
    </small>
  </li>`;

/**
 * @param {Api.AccountRefund} one
 * @param {Api.ReservationAccount} account
 */
function givenBack(one, { currency, seats }) {
  const done = one.state === "DONE";
  const refused = !done && one.code !== null;
  const state = done ? "done" : one.needs_person_at ? "person" : refused ? "refused" : "pending";
  return html`<li data-back>
    <div class="head">
      <strong class="amount">${one.kind === "void" ? nothing : money(-one.amount, currency)}</strong>
      <span>${one.kind === "void" ? t("ops.refund.void") : t("ops.refund.moved")}</span>
      ${pill(done ? "good" : refused ? "bad" : "warn", t(`ops.refund.state.${state}`))}
      <span class="time">${at(one.done_at ?? one.created_at)}</span>
    </div>
    <small>
      ${one.reason} · ${one.asked_by}
      ${one.fee ? ` · ${t("ops.refund.kept", { fee: money(one.fee, currency) })}` : nothing}
      ${
        one.seats.length
          ? ` · ${seats
              .filter((seat) => one.seats.includes(seat.ordinal))
              .map((seat) => seatName(seat))
              .join(" · ")}`
          : nothing
      }
    </small>
    ${
      refused
        ? html`<p class="advice">
            ${t("ops.refund.says", { code: one.code ?? "" })}
            ${one.next_try_at ? t("ops.refund.next", { time: at(one.next_try_at) }) : t("ops.refund.no_next")}
            ${one.needs_person_at ? t("ops.refund.look") : nothing}
          </p>`
        : nothing
    }
  </li>`;
}

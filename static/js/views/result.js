// After paying: under way, paid, or why not.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { clock, counted, money, reason, t } from "../i18n.js";
import { saleState, secondsLeft, turnSecondsLeft, WAITS_FOR_BUYER } from "../state.js";
import { seatName } from "../seat_words.js";
import { whatIsLeft } from "../sold_out.js";
import { isUsedUp } from "../wish.js";
import { payWord, wayToPay } from "./parts.js";

/** @param {Sale.WithReservation} model */
export function paying(model) {
  const { state, plan } = model;
  const { reservation } = state;
  const { payment } = reservation;
  if (payment && WAITS_FOR_BUYER.has(payment.state)) return waitingForBuyer(model, payment);
  const parked = reservation.reason === "payment_parked";
  return html`<section class="notice" data-kind="paying">
    <div class="pulse" aria-hidden="true"><i></i><i></i><i></i></div>
    <h1 tabindex="-1" data-focus>${parked ? t("paying.parked") : t("paying.title")}</h1>
    <p class="lead">${reservation.reason ? reason(reservation.reason) : t("paying.text")}</p>
    ${seats(state, plan)}
    <p class="quiet">${t("paying.leave")}</p>
    <div class="actions">
      <a class="button secondary" href="/reservations/${reservation.id}"
        >${parked ? t("paying.page_cancel") : t("paying.page")}</a
      >
    </div>
  </section>`;
}

/**
 * The order stands and the money is not asked for yet: the window is open somewhere, was closed, or said no.
 * @param {Sale.WithReservation} model
 * @param {Api.PaymentState} payment
 */
function waitingForBuyer({ state, plan, act }, payment) {
  const { reservation, ui } = state;
  const left = turnSecondsLeft(state, Date.parse(payment.retry_until ?? payment.until));
  const text = reservation.reason ? reason(reservation.reason) : t("paying.waiting_text");
  const { busy, failed: refused } = ui.givingBack;
  return html`<section class="notice" data-kind="paying" data-testid="waiting-for-payment">
    <h1 tabindex="-1" data-focus>${waitingTitle(reservation.reason, payment.state)}</h1>
    <p class="lead">${text}</p>
    <p class="pay-clock">${t("paying.kept")} <strong role="timer">${clock(left)}</strong></p>
    ${isTurnOver(state) ? html`<p class="quiet" data-testid="turn-over">${t("paying.turn_over")}</p>` : nothing}
    ${refused ? html`<p class="callout" data-kind="bad" role="alert">${reason(refused)}</p>` : nothing}
    ${seats(state, plan)}
    <div class="actions">
      ${wayToPay(state, payment.page, reservation.reason === "declined" ? t("paying.another_card") : t("paying.continue"))}
      <button
        type="button"
        class="button secondary"
        data-testid="give-back"
        aria-disabled=${busy ? "true" : nothing}
        @click=${act.giveBack}
      >
        ${busy ? t("reservation.cancelling") : t("paying.give_back")}
      </button>
    </div>
    <p class="field-hint pay-word">${payWord(state)}</p>
  </section>`;
}

/**
 * By what happened, first: an attempt is closed by a refusal inside the window, and by a fault of ours, as well.
 * @param {string | null | undefined} why
 * @param {Api.PaymentState["state"]} state
 */
export function waitingTitle(why, state) {
  if (why === "shop_payment_fault" || why === "provider_unavailable") return t("paying.fault");
  if (why === "declined") return t("paying.declined");
  return state === "CLOSED" ? t("paying.closed") : t("paying.waiting");
}

/**
 * The turn ended while the window is open: the seats of the order stay.
 * @param {Sale.State} state
 */
const isTurnOver = (state) =>
  state.presence === "out" || (state.session !== null && secondsLeft(state, state.session.until) <= 0);

/** @param {Sale.WithReservation} model */
export function confirmed({ state, plan, act, board }) {
  const { reservation, event } = state;
  // Nothing can be picked (any more), by anybody or by this buyer: there is a waiting list to be seen, or the hall.
  const none = whatIsLeft(board, 0).kind === "gone" || (event !== null && isUsedUp({ ...state, event }));
  return html`<section class="notice" data-kind="good">
    <div class="seal" aria-hidden="true">
      <svg viewBox="0 0 48 48">
        <circle cx="24" cy="24" r="22"></circle>
        <path d="M14 25l7 7 14-15"></path>
      </svg>
    </div>
    <h1 tabindex="-1" data-focus>${t("confirmed.title")}</h1>
    <p class="lead">${t("confirmed.text")}</p>
    ${seats(state, plan)}
    <div class="actions">
      <a class="button primary" data-testid="ticket" href="/reservations/${reservation.id}/ticket"
        >${t("confirmed.ticket")}</a
      >
      <a class="button secondary" href="/reservations/${reservation.id}">${t("confirmed.manage")}</a>
      ${state.event?.starts_at ? html`<a class="button secondary" href="/reservations/${reservation.id}/calendar">${t("about.calendar")}</a>` : nothing}
    </div>
    ${
      saleState(state) === "open"
        ? html`<p class="quiet more">
            <button type="button" class="link" @click=${act.seen}>
              ${none ? t("reservation.sale") : t("confirmed.more")}
            </button>
            ${moreFor(state, none)}
          </p>`
        : nothing
    }
  </section>`;
}

/**
 * For how long. It has its place before that is told, however many lines it takes: nothing moves when it is.
 * @param {Sale.State} state
 * @param {boolean} none there is nothing to pick
 */
function moreFor(state, none) {
  const { presence, session } = state;
  if (presence === "active" && session && !none)
    return html`<span>${t("confirmed.more_for", { time: clock(secondsLeft(state, session.until)) })}</span>`;
  return html`<span class="not-any-more" aria-hidden="true">${t("confirmed.more_for", { time: clock(0) })}</span>`;
}

/** @param {Sale.WithReservation} model */
export function failed({ state, act }) {
  const { reservation, shop } = state;
  const cancelled = reservation.status === "CANCELLED";
  const active = state.presence === "active";
  const over = saleState(state) === "closed";
  return html`<section class="notice" data-kind="bad">
    <h1 tabindex="-1" data-focus>${cancelled ? t("cancelled.title") : t("failed.title")}</h1>
    <p class="lead">${reason(reservation.reason)}</p>
    ${reservation.reason === "provider_unavailable" && shop.alternative ? html`<p>${t("payment.instead", { alternative: shop.alternative })}</p>` : nothing}
    ${over ? nothing : html`<p class="quiet">${t("failed.seats")}</p>`}
    <div class="actions">
      ${
        over && !active
          ? html`<a class="button secondary" href="/">${t("closed.others")}</a>`
          : html`<button
              type="button"
              class="button primary"
              data-testid="again"
              @click=${active ? act.dismiss : act.rejoin}
            >
              ${active ? t("failed.again") : t("out.again")}
            </button>`
      }
    </div>
  </section>`;
}

/**
 * @param {Sale.WithReservation["state"]} state
 * @param {Sale.Plan | null} plan
 */
function seats({ reservation, event }, plan) {
  const currency = reservation.currency ?? event?.currency;
  if (!reservation.seats || reservation.amount === undefined || !currency) return nothing;
  // Their names come with the plan, the digits of the currency with the event, and have their place before: nothing
  // moves when they do; a sum that comes is another element, not a space that grows.
  return html`<div class="receipt">
    <ul class="summary-seats" aria-busy=${plan ? nothing : "true"}>
      ${reservation.seats.map((ordinal) => {
        const seat = plan?.seat(ordinal);
        return html`<li>
          <span>${seat ? seatName(seat) : "\u00a0"}<small>${seat ? seat.category : "\u00a0"}</small></span>
        </li>`;
      })}
    </ul>
    <p class="total">
      <span>${counted("seats.count", reservation.seats.length)}</span>
      ${event ? html`<strong>${money(reservation.amount, currency)}</strong>` : html`<strong>&nbsp;</strong>`}
    </p>
  </div>`;
}

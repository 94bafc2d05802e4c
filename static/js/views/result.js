// After paying: under way, paid, or why not.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { clock, counted, money, reason, t } from "../i18n.js";
import { secondsLeft } from "../state.js";
import { seatName } from "./parts.js";

/** States of an attempt in which the buyer has something to do. */
const WAITS_FOR_BUYER = new Set(["OPEN", "CLOSED", "DECLINED"]);

export function paying({ state, ui, plan, act }) {
  const { reservation } = state;
  if (reservation.payment && WAITS_FOR_BUYER.has(reservation.payment.state)) {
    return waitingForBuyer({ state, ui, plan, act });
  }
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

// The order stands and the money is not asked for yet: the window is open somewhere, was closed, or said no.
function waitingForBuyer({ state, ui, plan, act }) {
  const { reservation } = state;
  const { payment } = reservation;
  const left = secondsLeft(state, Date.parse(payment.retry_until ?? payment.until));
  const text = reservation.reason ? reason(reservation.reason) : t("paying.waiting_text");
  return html`<section class="notice" data-kind="paying" data-testid="waiting-for-payment">
    <h1 tabindex="-1" data-focus>${t("paying.waiting")}</h1>
    <p class="lead">${text}</p>
    <p class="pay-clock">${t("paying.kept")} <strong role="timer">${clock(left)}</strong></p>
    ${ui.giveBackFailed ? html`<p class="callout" data-kind="bad" role="alert">${reason(ui.giveBackFailed)}</p>` : nothing}
    ${seats(state, plan)}
    <div class="actions">
      <a class="button primary" data-testid="continue-paying" href=${payment.page}>${t("paying.continue")}</a>
      <button
        type="button"
        class="button secondary"
        data-testid="give-back"
        aria-disabled=${ui.givingBack ? "true" : nothing}
        @click=${act.giveBack}
      >
        ${ui.givingBack ? t("reservation.cancelling") : t("paying.give_back")}
      </button>
    </div>
  </section>`;
}

export function confirmed({ state, plan, act }) {
  const { reservation } = state;
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
    </div>
    ${
      state.presence === "active"
        ? html`<p class="quiet">
            <button type="button" class="link" @click=${act.dismiss}>${t("confirmed.more")}</button>
          </p>`
        : nothing
    }
  </section>`;
}

export function failed({ state, ui, act }) {
  const { reservation } = state;
  const cancelled = reservation.status === "CANCELLED";
  const active = state.presence === "active";
  return html`<section class="notice" data-kind="bad">
    <h1 tabindex="-1" data-focus>${cancelled ? t("cancelled.title") : t("failed.title")}</h1>
    <p class="lead">${reason(reservation.reason)}</p>
    ${reservation.reason === "provider_unavailable" && ui.alternative ? html`<p>${t("payment.instead", { alternative: ui.alternative })}</p>` : nothing}
    <p class="quiet">${cancelled ? t("cancelled.text") : t("failed.text")}</p>
    <div class="actions">
      <button type="button" class="button primary" data-testid="again" @click=${active ? act.dismiss : act.rejoin}>
        ${active ? t("failed.again") : t("out.again")}
      </button>
    </div>
  </section>`;
}

function seats({ reservation, event }, plan) {
  if (!plan || !reservation.seats) return nothing;
  return html`<div class="receipt">
    <ul class="summary-seats">
      ${reservation.seats.map((ordinal) => {
        const seat = plan.seat(ordinal);
        return html`<li>
          <span>${seatName(seat)}<small>${seat.category}</small></span>
        </li>`;
      })}
    </ul>
    <p class="total">
      <span>${counted("seats.count", reservation.seats.length)}</span>
      <strong>${money(reservation.amount, reservation.currency ?? event.currency)}</strong>
    </p>
  </div>`;
}

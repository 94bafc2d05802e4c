// Paying: one field, one button, and the seats' time in sight.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { counted, money, reason, spokenClock, t } from "../i18n.js";
import { mayPay } from "../outage.js";
import { seatName } from "../seat_words.js";
import { emailField, payWord, spinner } from "./parts.js";
import { timeLeft, timeWarning } from "./time_left.js";

/** @param {Sale.WithPlan} model */
export function checkout({ state, plan, act }) {
  const { shop, ui } = state;
  const { seats } = state.basket;
  const { currency } = state.event;
  const { submitting, code, retryAfter } = state.checkout;
  const total = money(plan.total(seats), currency);
  return html`<section class="checkout">
      <div class="checkout-main">
        <button type="button" class="list-back" @click=${act.back} ?disabled=${submitting}>
          <span aria-hidden="true">←</span> ${t("checkout.back")}
        </button>
        <h1 tabindex="-1" data-focus>${t("checkout.title")}</h1>
        <p class="checkout-strip">
          <span>${counted("seats.count", seats.length)} · <strong>${total}</strong></span> ${timeLeft(state)}
        </p>
        <form class="form" novalidate @submit=${act.submit}>
          ${emailField({
            label: t("checkout.email"),
            hint: t("checkout.email_hint"),
            email: ui.email,
            wrong: ui.emailWrong,
            disabled: submitting,
            input: act.email,
          })}
          ${shop.providers.length > 1 ? providers(shop, ui, act, submitting) : nothing}
          <button
            type="submit"
            class="button primary wide"
            data-testid="pay"
            aria-disabled=${submitting || !mayPay(state) ? "true" : nothing}
          >
            ${submitting ? html`${spinner()} ${t("checkout.sending")}` : t("checkout.pay", { amount: total })}
          </button>
          <div class="pay-answer" data-pressed=${submitting || code ? "" : nothing}>
            ${code ? html`<p class="callout" data-kind="bad" role="alert">${reason(code)} ${code === "payment_unavailable" ? whatElse(retryAfter, shop.alternative) : nothing}</p>` : nothing}
            <p
              class=${`field-hint pay-word${code && mayPay(state) ? " visually-hidden" : ""}`}
              role="status"
              data-testid="sent-again"
            >
              ${submitting && retryAfter !== null ? t("checkout.again", { time: spokenClock(retryAfter) }) : payWord(state)}
            </p>
          </div>
        </form>
      </div>
      <aside class="summary" aria-labelledby="summary-title">
        <header class="basket-head">
          <h2 id="summary-title">${t("checkout.summary")}</h2>
          ${timeLeft(state)}
        </header>
        <p class="summary-event">${state.event.name}</p>
        <ul class="summary-seats">
          ${seats.map((ordinal) => {
            const seat = plan.seat(ordinal);
            return html`<li>
              <span>${seatName(seat)}<small>${seat.category}</small></span>
              <span>${money(seat.price ?? 0, currency)}</span>
            </li>`;
          })}
        </ul>
        <p class="total"><span>${counted("seats.count", seats.length)}</span> <strong>${total}</strong></p>
      </aside>
    </section>
    <div class="foot-note">${timeWarning(state, act)}</div>`;
}

/**
 * When to come back, and what to use instead.
 * @param {number | null} retryAfter seconds
 * @param {string} alternative
 */
function whatElse(retryAfter, alternative) {
  const when = retryAfter ? t("payment.again_in", { time: spokenClock(retryAfter) }) : t("payment.again");
  return alternative ? `${when} ${t("payment.instead", { alternative })}` : when;
}

/**
 * Which provider to pay with, where there is a choice.
 * @param {Sale.Shop} shop
 * @param {Sale.Ui} ui
 * @param {Sale.Act} act
 * @param {boolean} submitting
 */
function providers(shop, ui, act, submitting) {
  const chosen = ui.provider ?? shop.providers[0]?.name;
  return html`<fieldset class="cards" ?disabled=${submitting}>
    <legend>${t("checkout.provider")}</legend>
    ${shop.providers.map(
      ({ name, title }) =>
        html`<label class="card">
          <input
            type="radio"
            name="provider"
            value=${name}
            .checked=${chosen === name}
            @change=${() => act.provider(name)}
          />
          <span class="card-name">${title}</span>
        </label>`,
    )}
  </fieldset>`;
}

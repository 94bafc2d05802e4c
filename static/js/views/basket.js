// The visitor's own seats: what they are, what they cost, how long they are kept.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { counted, money, t } from "../i18n.js";
import { mayPay } from "../outage.js";
import { seatName } from "../seat_words.js";
import { share } from "../wish.js";
import { timeLeft } from "./time_left.js";

/**
 * @param {Sale.WithPlan["state"]} state
 * @param {unknown} content of `inBasket`
 */
export function basket(state, content) {
  return html`<section class="basket" aria-labelledby="basket-title">
    <header class="basket-head">
      <h2 id="basket-title">${t("basket.title")}</h2>
      ${state.basket.seats.length ? timeLeft(state) : nothing}
    </header>
    ${content}
  </section>`;
}

/** All of it but the clock. @param {Sale.Lasting} model */
export function inBasket({ state, plan, act, left, asked, swatches }) {
  const { seats } = state.basket;
  const { currency } = state.event;
  // `repeat` asks for each line whenever it is drawn.
  const lines = new Map(seats.map((ordinal) => [ordinal, line(plan.seat(ordinal), currency, act, swatches)]));
  return html`${seats.length === 0 ? empty(state, asked, left === "free") : nothing}
    <ul class="basket-seats">
      ${repeat(
        seats,
        (ordinal) => ordinal,
        (ordinal) => lines.get(ordinal),
      )}
    </ul>
    ${
      seats.length
        ? html`<footer class="basket-foot">
            <p class="total">
              <span>${counted("seats.count", seats.length)}</span>
              <strong>${money(plan.total(seats), currency)}</strong>
            </p>
            <button
              type="button"
              class="button primary wide"
              data-testid="continue"
              aria-disabled=${mayPay(state) ? nothing : "true"}
              @click=${act.checkout}
            >
              ${mayPay(state) ? t("basket.continue") : t("outage.pay_off_short")}
            </button>
          </footer>`
        : nothing
    }`;
}

/**
 * @param {Sale.Lasting["state"]} state
 * @param {ReadonlySet<number>} asked
 * @param {boolean} free there is a seat to tap
 */
function empty(state, asked, free) {
  if (asked.size) return html`<p class="basket-empty">${t("basket.asking")}</p>`;
  const { left } = share(state);
  if (left === 0) return nothing; // the wish's place says why
  return html`<p class="basket-empty">${free ? counted("basket.empty", left) : t("basket.nothing_free")}</p>`;
}

/**
 * @param {Sale.Seat} seat
 * @param {string} currency
 * @param {Sale.Act} act
 * @param {Map<string, string>} swatches
 */
function line(seat, currency, act, swatches) {
  return html`<li class="basket-seat">
    <span class="swatch" .style=${swatches.get(seat.category) ?? ""} aria-hidden="true">${seat.mark}</span>
    <span class="basket-seat-name">
      ${seatName(seat)}
      <small>${seat.category}${seat.accessible ? html` · ${t("seat.accessible")}` : nothing}</small>
    </span>
    <span class="basket-seat-price">${money(seat.price ?? 0, currency)}</span>
    <button
      type="button"
      class="remove"
      aria-label=${t("basket.remove", { seat: seatName(seat) })}
      @click=${() => act.release([seat.ordinal])}
    >
      <span aria-hidden="true">×</span>
    </button>
  </li>`;
}

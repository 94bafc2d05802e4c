// The one clock of a turn: how long the seats are kept, or the turn lasts, whichever ends first; and one word when it is
// nearly over.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { deadline, isUrgent, moreTimeAdds } from "../deadline.js";
import { clock, t } from "../i18n.js";
import { isShorter, turnSecondsLeft } from "../state.js";
import { hand } from "./hands.js";

/**
 * What ends then, as a clock that goes by itself.
 * @param {Sale.State} state
 * @param {import("../deadline.js").Deadline} end
 */
const running = (state, { until }) =>
  hand(state, (/** @type {Sale.State} */ now) => clock(turnSecondsLeft(now, until)));

/**
 * With a ring that runs down.
 * @param {Sale.WithEvent<Sale.Model>["state"]} state
 */
export function timeLeft(state) {
  const end = deadline(state);
  if (!end) return nothing;
  const whole = state.event.hold_seconds;
  /** @param {Sale.State} now */
  const ring = (now) => `${Math.min(100, (turnSecondsLeft(now, end.until) / whole) * 100).toFixed(1)} 100`;
  return html`<span class="hold-clock" data-urgent=${isUrgent(state, end) ? "" : nothing} data-testid="hold-clock">
    <span class="visually-hidden">${t("basket.kept_for")}</span>
    <svg viewBox="0 0 20 20" aria-hidden="true">
      <circle cx="10" cy="10" r="8" pathLength="100" class="ring-back"></circle>
      <circle cx="10" cy="10" r="8" pathLength="100" class="ring" stroke-dasharray=${hand(state, ring)}></circle>
    </svg>
    <span role="timer">${running(state, end)}</span>
  </span>`;
}

/**
 * Of the turn, while nothing is in the basket: with seats in it, their clock is the one.
 * @param {Sale.State} state
 */
export function turnLeft(state) {
  const end = deadline(state);
  if (!end || state.basket.seats.length) return nothing;
  return html`<p class="session" data-urgent=${isUrgent(state, end) ? "" : nothing}>
    ${t("session.left")} <span role="timer">${running(state, end)}</span>
    ${isShorter(state) ? html`<span class="session-why">${t("session.after_purchase")}</span>` : nothing}
  </p>`;
}

/**
 * What became of the seats whose time ran out, or whose buyer was not heard from, where a phone whose basket is closed shows it as well.
 * @param {Sale.State} state
 */
export function seatsLost({ basket, basketExpired, unheard }) {
  if (!(basketExpired || unheard) || basket.seats.length) return nothing;
  return html`<p class="callout" data-kind="warn" data-testid="seats-lost">
    ${unheard ? t("basket.unheard") : t("basket.expired")}
  </p>`;
}

/**
 * One box, about what ends first; more time where that adds some.
 * @param {Sale.State} state
 * @param {Sale.Act} act
 */
export function timeWarning(state, act) {
  const end = deadline(state);
  if (!end || !isUrgent(state, end)) return nothing;
  // Nothing can be done before it any more; what became of it, the server says, or is asked (overdue.js).
  if (turnSecondsLeft(state, end.until) === 0)
    return html`<p class="callout time-warning" data-kind="warn" data-testid="time-over">${t("session.over")}</p>`;
  if (end.of === "turn") {
    /** @param {Sale.State} now */
    const text = (now) => {
      const time = clock(turnSecondsLeft(now, end.until));
      return now.basket.seats.length ? t("session.warning", { time }) : t("session.warning_empty", { time });
    };
    return html`<p class="callout time-warning" data-kind="warn" data-testid="session-warning">
      ${hand(state, text)}
    </p>`;
  }
  const more = moreTimeAdds(state);
  return html`<div class="callout time-warning" data-kind="warn" data-testid="hold-warning">
    <p>${more ? t("basket.soon_over") : t("basket.soon_over_last")}</p>
    ${more ? html`<button type="button" class="button small" @click=${act.extend}>${t("basket.extend")}</button>` : nothing}
  </div>`;
}

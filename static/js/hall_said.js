// What is read aloud of the basket while a buyer picks: seats that came and went, time that runs out.
import { announce } from "./announce.js";
import { deadline, isUrgent, moreTimeAdds } from "./deadline.js";
import { counted, money, t } from "./i18n.js";
import { EMPTY_BASKET } from "./state.js";
import { seatName } from "./seat_words.js";

/**
 * @param {Sale.Plan} plan
 * @param {Sale.State} before
 * @param {Sale.State} state
 */
export function saySeats(plan, before, state) {
  const old = new Set(before.basket.seats);
  const own = new Set(state.basket.seats);
  const added = state.basket.seats.filter((ordinal) => !old.has(ordinal));
  const gone = before.basket.seats.filter((ordinal) => !own.has(ordinal));
  /** @param {number[]} seats */
  const names = (seats) => seats.map((ordinal) => seatName(plan.seat(ordinal))).join("; ");
  if (added.length && state.event) {
    const total = money(plan.total(state.basket.seats), state.event.currency);
    const sum = counted("said.total", state.basket.seats.length, { total });
    announce(`${t("said.held", { seats: names(added) })} ${sum}`);
  } else if (gone.length && state.basket !== EMPTY_BASKET) {
    announce(t("said.released", { seats: names(gone) }));
  }
}

/**
 * @param {Sale.State} before
 * @param {Sale.State} state
 */
export function sayTime(before, state) {
  if (state.basketExpired && !before.basketExpired) announce(t("basket.expired"), { urgent: true });
  // Back in, which was said first.
  const back = state.presence === "active" && before.presence !== "active";
  if (state.unheard && back) announce(t("basket.unheard"), { urgent: true });
  const end = deadline(state);
  if (!end || !isUrgent(state, end) || isUrgent(before, end)) return;
  if (end.of === "turn") announce(t("session.warning_said"), { urgent: true });
  else announce(t(moreTimeAdds(state) ? "basket.soon_over" : "basket.soon_over_last"), { urgent: true });
}

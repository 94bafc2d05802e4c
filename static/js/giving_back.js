// Giving seats of a paid reservation back: which ones a press gives back, and what that comes to, by the server's own rule
// (core/booking/sql/refund.sql).

/** @typedef {{fee: number, refund: number}} Cost minor units */
/** What can go back: the seats of a quote. @typedef {Pick<NonNullable<Api.CancelQuote["seats"]>[number], "seat">[]} Seats */

/**
 * Of these seats: their prices, never more than is left of the charge, less the fee, which is rounded down.
 * @param {Api.CancelQuote} quote
 * @param {ReadonlySet<number>} chosen
 * @returns {Cost}
 */
export function costOf({ percent, left, seats }, chosen) {
  const prices = (seats ?? []).filter(({ seat }) => chosen.has(seat)).map(({ price }) => price);
  const gross = Math.min(
    left ?? 0,
    prices.reduce((sum, price) => sum + price, 0),
  );
  const fee = Math.floor((gross * (percent ?? 0)) / 100);
  return { fee, refund: gross - fee };
}

/**
 * Of what was chosen, what is still there to go back: the rest went back meanwhile, by a press whose answer was lost or on
 * another page.
 * @param {ReadonlySet<number>} chosen
 * @param {Seats} seats
 */
export const stillThere = (chosen, seats) => new Set(seats.map(({ seat }) => seat).filter((seat) => chosen.has(seat)));

/**
 * Whether every seat that is left goes back.
 * @param {ReadonlySet<number>} chosen
 * @param {Seats} seats
 */
export const areAll = (chosen, seats) => seats.every(({ seat }) => chosen.has(seat));

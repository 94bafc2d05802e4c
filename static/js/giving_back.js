// What giving seats of a paid reservation back comes to: the server's own rule (core/booking/sql/refund.sql).

/** @typedef {{fee: number, refund: number}} Cost minor units */

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

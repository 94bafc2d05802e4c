// What a refund of the desk would come to, and what is wrong with what was asked. As core/booking/sql/refund.sql judges
// it; no page in here.
import { minorOf } from "./sale_fields.js";

const MOST_REASON = 200; // characters: web/ops/schemas.py

/**
 * @typedef {object} Wish
 * @property {Console.RefundWay} way
 * @property {number[]} seats
 * @property {boolean} release the seats are on sale again
 * @property {string} amount as it is typed
 * @property {string} fee as it is typed; empty is none
 * @property {string} reason
 */

/**
 * `back` goes to the buyer, `kept` stays with the shop, in minor units; NaN where it cannot be said. `wrong`: field ->
 * key of its sentence.
 * @param {Pick<Api.ReservationAccount, "seats" | "amount" | "refunded" | "currency">} account
 * @param {Wish} wish
 * @returns {{body: Api.RefundReservation, back: number, kept: number, wrong: Map<string, string>}}
 */
export function plan({ seats: all, amount: paid, refunded, currency }, { way, seats, release, amount, fee, reason }) {
  /** @type {Map<string, string>} */
  const wrong = new Map();
  const left = paid - refunded;
  const why = reason.trim();
  if (!why || why.length > MOST_REASON) wrong.set("refund_reason", "refund_reason");
  const named = way === "seats" || (way === "amount" && release);
  if (named && !seats.length) wrong.set("seats", "refund_seats");
  /** @type {Api.RefundReservation} */
  const body = { reason: why, refunded_before: refunded, release, ...(named ? { seats } : {}) };
  if (way === "amount") {
    const asked = minorOf(amount, currency);
    if (!(asked >= 1 && asked <= left)) wrong.set("refund_amount", "refund_amount");
    return { body: { ...body, amount: asked }, back: asked, kept: 0, wrong };
  }
  const going = all.filter((seat) => seat.live && (way === "all" || seats.includes(seat.ordinal)));
  const price = Math.min(
    left,
    going.reduce((sum, seat) => sum + seat.price, 0),
  );
  const asked = fee.trim() ? minorOf(fee, currency) : 0;
  if (Number.isNaN(asked)) wrong.set("refund_fee", "refund_fee");
  const kept = Math.min(price, asked);
  return { body: { ...body, ...(asked ? { fee: asked } : {}) }, back: price - kept, kept, wrong };
}

// What an outage of a store or of payment means for this page: which clock stands, and what is off (R4). Pure.

/**
 * The `outage` message as the page keeps it; null: nothing is away, and the clock goes.
 * @param {Omit<Wire.Outage, "type">} message
 * @returns {Sale.Outage | null}
 */
export function outageOf({ away, since, until }) {
  if (away.length === 0 && since === null) return null;
  return { away: new Set(away), since: since ? Date.parse(since) : null, until: until ? Date.parse(until) : null };
}

/**
 * Seats can be held and let go.
 * @param {Sale.State} state
 */
export const mayHold = ({ outage }) => !outage?.away.has("redis");

/**
 * An order can be made, and paid.
 * @param {Sale.State} state
 */
export const mayPay = ({ outage }) => !outage?.away.size;

/**
 * Milliseconds for which the clock of sessions and holds has stood until `now`.
 * @param {Sale.Outage | null} outage
 * @param {number} now
 */
export function stood(outage, now) {
  if (!outage?.since) return 0;
  return Math.max(0, Math.min(now, outage.until ?? now) - outage.since);
}

/**
 * What the page says of it: the part of the key after `outage.`.
 * @param {Sale.Outage} outage
 */
export function saying({ away }) {
  if (away.has("redis")) return "redis";
  if (away.has("database")) return "database";
  return away.has("payment") ? "payment" : "returning";
}

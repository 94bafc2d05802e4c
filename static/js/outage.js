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
 * @param {Pick<Sale.State, "outage">} state
 */
export const mayHold = ({ outage }) => !outage?.away.has("redis");

/**
 * An order can be made, and paid.
 * @param {Pick<Sale.State, "outage">} state
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

// A new channel knows of no outage until it is told of one, right after its welcome or (by looks) at the next one. Until then
// it is open whether the outage that was known is over; nobody says so before.
const SURE_AFTER = 5000; // milliseconds without news of it after a welcome

/** @typedef {Pick<Sale.State, "outage" | "doubted" | "outageOverAt">} Known */

/**
 * A welcome: the clock goes, as far as is known.
 * @param {Sale.State} state
 * @returns {Known}
 */
export function afterWelcome({ outage, doubted, outageOverAt, local }) {
  const before = outage ?? doubted?.outage;
  return { outage: null, doubted: before ? { outage: before, until: local + SURE_AFTER } : null, outageOverAt };
}

/**
 * News of what is away.
 * @param {Sale.State} state
 * @param {Omit<Wire.Outage, "type">} message
 * @returns {Known}
 */
export function afterNews({ outage, doubted, outageOverAt, local }, message) {
  const now = outageOf(message);
  if (now) return { outage: now, doubted: null, outageOverAt: null };
  return { outage: null, doubted: null, outageOverAt: outage || doubted ? local : outageOverAt };
}

/**
 * Time has passed: a channel that is there and has told nothing would have by now.
 * @param {Sale.State} state
 * @returns {Known}
 */
export function afterTime({ outage, doubted, outageOverAt, connection, local }) {
  const heard = connection === "online" || connection === "polling";
  if (!doubted || !heard || local < doubted.until) return { outage, doubted, outageOverAt };
  return { outage, doubted: null, outageOverAt: local };
}

// One clock: what the visitor has in hand ends at the earlier of two times, that of the seats and that of the turn.
import { turnSecondsLeft } from "./state.js";

const URGENT = 60; // seconds left for the seats, from which on it is said
const SAME = 1000; // milliseconds: a hold that the end of the turn cuts off ends with it
const WORTH = 10000; // milliseconds that more time has to add, to be offered

/** `of`: whose time is over then, that of the seats or that of the turn. @typedef {{until: number, of: "seats" | "turn"}} Deadline */

/**
 * Null where nothing ends, or nothing is known of it. Milliseconds of the server's clock.
 * @param {Pick<Sale.State, "basket" | "session">} state
 * @returns {Deadline | null}
 */
export function deadline({ basket, session }) {
  const seats = basket.seats.length ? basket.until : null;
  if (seats !== null && (session === null || seats < session.until - SAME)) return { until: seats, of: "seats" };
  return session && { until: session.until, of: "turn" };
}

/**
 * Whether it is so near that it is said.
 * @param {Sale.State} state
 * @param {Deadline} end
 */
export function isUrgent(state, { until, of }) {
  return turnSecondsLeft(state, until) <= (of === "seats" ? URGENT : (state.session?.warningSeconds ?? URGENT));
}

/**
 * Whether more time can be had for the seats, and would change anything: it never goes past the end of the turn.
 * @param {Pick<Sale.State, "basket" | "session">} state
 */
export function moreTimeAdds({ basket, session }) {
  if (basket.extensionsLeft < 1 || basket.until === null) return false;
  return session === null || session.until - basket.until >= WORTH;
}

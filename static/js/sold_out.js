// What is left of a hall: free seats, only seats that others have in their baskets, or nothing.
import { AVAILABLE, HELD } from "./board.js";

const EVERY = 60000;
const EVERY_SOLD_OUT = 15000;

/**
 * `held`: seats in others' baskets, which may come back. "unknown" while there is no board.
 * @typedef {{kind: "unknown" | "free" | "held" | "gone", held: number}} Left
 */

/**
 * @param {Pick<import("./board.js").Board, "ready" | "counts">} board
 * @param {number} own seats in the visitor's own basket, which the board shows as held
 * @returns {Left}
 */
export function whatIsLeft(board, own) {
  if (!board.ready) return { kind: "unknown", held: 0 };
  const held = Math.max(0, board.counts[HELD] - own);
  if (board.counts[AVAILABLE] > 0) return { kind: "free", held };
  return { kind: held ? "held" : "gone", held };
}

/**
 * Milliseconds between two looks at the event, and of who waits at the board; for the rest there is the channel. Who
 * waits is told on it when they are let in, but not that a sold-out hall has seats again: that page looks oftener. All
 * seats in baskets are no reason to: so it is at the peak, for everybody at once.
 * @param {Parameters<typeof whatIsLeft>[0]} board
 * @param {boolean} waits
 */
export const looksEvery = (board, waits) => (waits && whatIsLeft(board, 0).kind === "gone" ? EVERY_SOLD_OUT : EVERY);

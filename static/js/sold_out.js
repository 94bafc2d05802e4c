// What is left of a hall: free seats, only seats that others have in their baskets, or nothing.
import { AVAILABLE, HELD } from "./board.js";

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

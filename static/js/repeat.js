// A call that is the same call however often it is made (it has an Idempotency-Key) is made again by the page itself where
// the server says when: 503 `store_unavailable` and `outcome_unknown` with `Retry-After` (R5, R8). Pure.
import { NoAnswer, Refusal } from "./api.js";
import { delay } from "./backoff.js";

const TRIES = 6; // in all
const LONGEST = 30; // seconds: who is asked to wait for longer is told so, and decides
const SPREAD = 0.5; // of the time that is asked for, at random on top: a crowd that was refused does not come back in one wave

/**
 * The server could not take the call, and says that nothing was changed.
 * @param {unknown} error
 */
export const beganNothing = (error) => error instanceof Refusal && error.code === "store_unavailable";

/**
 * Milliseconds until the call is made again; null: it is not, and what came is the answer.
 * @param {unknown} error what came of the call
 * @param {number} tried how often it was made before
 */
export function pauseBefore(error, tried, random = Math.random) {
  if (tried + 1 >= TRIES) return null;
  // Whether it was done is not known: made again, it is done once.
  if (error instanceof NoAnswer) return delay(tried, random);
  if (!(error instanceof Refusal) || error.status !== 503) return null;
  const unknown = error.code === "outcome_unknown";
  const asked = error.retryAfter;
  if (!unknown && (!beganNothing(error) || asked === null || asked > LONGEST)) return null;
  const wait = Math.min(asked ?? 0, LONGEST) * 1000;
  return Math.max(delay(tried, random), Math.round(wait * (1 + random() * SPREAD)));
}

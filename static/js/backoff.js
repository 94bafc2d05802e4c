// When to come back after a lost connection, and when not to.

const TOO_LONG = 1009; // the server's word for a message of more than 4 KiB

/**
 * Close codes of realtime/wire.py: 4100-4199 and "message too long" are answers, everything else is an accident.
 * @param {number} code
 */
export function mayReturn(code) {
  return code !== TOO_LONG && !(code >= 4100 && code <= 4199);
}

/**
 * `first`, and twice as many each further time, up to `longest`: the one rule by which anything is tried less and less often.
 * @param {number} first
 * @param {number} times how often it was tried in vain
 * @param {number} longest
 */
export const doubled = (first, times, longest) => Math.min(longest, first * 2 ** Math.min(times, 30));

/**
 * Milliseconds to wait before attempt `attempt` (0, 1, 2, ...): exponential with full jitter, so that a thousand
 * browsers that lost one server do not come back in one wave.
 * @param {number} attempt
 */
export function delay(attempt, random = Math.random, base = 500, ceiling = 15000) {
  return Math.round(base / 2 + random() * doubled(base, attempt, ceiling));
}

/**
 * What `ask` resolves to, asked again after each failure, less and less often: for what a page cannot begin without.
 * @template Answer
 * @param {() => Promise<Answer>} ask
 * @param {(tried: number) => number} [pause] milliseconds
 * @returns {Promise<Answer>}
 */
export async function untilAnswered(ask, pause = delay) {
  for (let tried = 0; ; tried += 1) {
    try {
      return await ask();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, pause(tried)));
    }
  }
}

/**
 * Milliseconds that the server asks for in the reason of a close frame, or null. The second that it names is shared by
 * all whose turn comes in it, so each adds a part of one.
 * @param {string | undefined} reason
 */
export function asked(reason, random = Math.random) {
  const found = /reconnect after (\d{1,3}) s$/.exec(reason ?? "");
  return found && Math.round(1000 * (Number(found[1]) + random()));
}

// How long it may still take, told as a band: one figure reads like a promise.

/**
 * @param {{low: number, high: number} | null | undefined} wait seconds until admission, as the server's own record has it
 * @returns {null | {kind: "soon"} | {kind: "minutes", from: number, to: number} | {kind: "hours", from: number, to: number}}
 */
export function band(wait) {
  if (!wait || !Number.isFinite(wait.low) || !Number.isFinite(wait.high)) return null;
  if (wait.high <= 60) return { kind: "soon" };
  const from = wait.low / 60;
  const to = wait.high / 60;
  if (to >= 90) return { kind: "hours", from: Math.max(1, Math.round(from / 60)), to: Math.max(2, Math.ceil(to / 60)) };
  const step = to > 20 ? 5 : 1;
  const low = Math.max(1, Math.floor(from / step) * step);
  const high = Math.max(low + step, Math.ceil(to / step) * step);
  return { kind: "minutes", from: low, to: high };
}

/**
 * How far the visitor has come, 0..1, measured from the place of the first look.
 * @param {number} firstAhead
 * @param {number} ahead
 */
export function progress(firstAhead, ahead) {
  if (!(firstAhead > 0)) return ahead > 0 ? 0 : 1;
  return Math.min(1, Math.max(0, 1 - ahead / firstAhead));
}

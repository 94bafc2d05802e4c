// The time that is left, by the server's clock: the page was drawn at `now`, whatever this machine's clock says.

/**
 * Seconds as 6:05.
 * @param {number} seconds
 */
export function written(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/**
 * Counts down to `until` (ISO 8601), given the server's time `now` at the moment `drawn` (performance.now()).
 * Calls `show(seconds)` each second, and `over` once. Returns what stops it.
 * @param {{until: string, now: string, drawn: number, show: (seconds: number) => void, over: () => void, every?: number}} parts
 */
export function countDown({ until, now, drawn, show, over, every = 1000 }) {
  const total = (Date.parse(until) - Date.parse(now)) / 1000;
  const left = () => total - (performance.now() - drawn) / 1000;
  show(left());
  const timer = setInterval(() => {
    show(left());
    if (left() <= 0) {
      clearInterval(timer);
      over();
    }
  }, every);
  return () => clearInterval(timer);
}

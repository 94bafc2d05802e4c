// The time that is left, by the server's clock: the page was drawn at `now`, whatever this machine's clock says.
import { learnt } from "../server_clock.js";

/**
 * Seconds as 6:05.
 * @param {number} seconds
 */
export function written(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/**
 * The moment, by performance.now(), at which the server's answer that this page is had come. On a slow line its scripts come
 * seconds later: a clock that began with them would show more time than there is.
 */
export function answered() {
  const [entry] = performance.getEntriesByType("navigation");
  return entry instanceof PerformanceNavigationTiming ? entry.responseStart : performance.now();
}

/**
 * Counts down to `until` (ISO 8601), given the server's time `now` at the moment `drawn` (performance.now()).
 * Calls `show(seconds)` each second, and `over` once. `standing(at)`: for how many milliseconds the clock has stood in an
 * outage, by the server's time `at` (milliseconds). Returns what stops it, what sets another end, what is told the server's
 * time whenever it is heard, and what shows at once what is left.
 * @param {{until: string, now: string, drawn: number, show: (seconds: number) => void, over: () => void, every?: number,
 *   standing?: (at: number) => number}} parts
 */
export function countDown({ until, now, drawn, show, over, every = 1000, standing = () => 0 }) {
  let end = Date.parse(until);
  let offset = Date.parse(now) - drawn;
  const left = () => {
    const at = performance.now() + offset;
    return (end - at + standing(at)) / 1000;
  };
  show(left());
  const timer = setInterval(() => {
    const seconds = left();
    show(seconds);
    if (seconds <= 0) {
      clearInterval(timer);
      over();
    }
  }, every);
  return {
    draw: () => show(left()),
    stop: () => clearInterval(timer),
    /** @param {string} later ISO 8601 */
    move: (later) => (end = Date.parse(later)),
    /** @param {string} at ISO 8601 */
    learn: (at) => (offset = learnt(offset, at, performance.now())),
  };
}

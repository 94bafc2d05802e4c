// How long the seats of an order that waits for its payment are kept: counted by the server's clock.
import { stood } from "../outage.js";
import { countDown, written } from "./clock.js";

export class Kept {
  /** @type {ReturnType<typeof countDown> | null} */
  #clock = null;
  /** @type {string | null} */
  #until = null; // that is followed
  /** @type {string | null} */
  #ended = null; // that is over: it was told once

  /**
   * `now`: the server's time (ISO 8601) at the moment `drawn` (performance.now()). `shown` is told the time that is left
   * each second, `over` its end. `outage`: while it lasts the clock stands.
   * @param {{now: string, drawn: number, shown: (left: string) => void, over: () => void,
   *   outage: () => Parameters<typeof stood>[0]}} parts
   */
  constructor(parts) {
    this.parts = parts;
  }

  /** @param {string} now the server's time, as it was just heard: ISO 8601 */
  learn(now) {
    this.parts = { ...this.parts, now, drawn: performance.now() };
    this.#clock?.learn(now);
  }

  /**
   * @param {string | null} until ISO 8601; null: nothing waits (any more)
   */
  follow(until) {
    const { now, drawn, shown, over, outage } = this.parts;
    this.#until = until;
    if (until && until === this.#ended) shown(written(0));
    else if (!until) {
      this.#clock?.stop();
      this.#clock = null;
    } else if (this.#clock) {
      this.#clock.move(until);
      this.#clock.draw();
    } else {
      this.#clock = countDown({
        until,
        now,
        drawn,
        show: (seconds) => shown(written(seconds)),
        standing: (at) => stood(outage(), at),
        over: () => {
          this.#clock = null;
          this.#ended = this.#until;
          over();
        },
      });
    }
  }
}

// The time of the seats or of the turn is over, and nobody has said what became of them: the page asks.
import { deadline } from "./deadline.js";
import { stood } from "./outage.js";
import { serverNow } from "./state.js";

const PATIENCE = 3000; // milliseconds: the server says so by itself within about one
const AGAIN = 10000; // milliseconds until it is asked once more

/**
 * Whether the clock has shown nothing for longer than the server takes to say why. An order that waits has a clock of its own.
 * @param {Sale.State} state
 */
export function isOverdue(state) {
  const { connection, outage, presence, reservation } = state;
  const end = deadline(state);
  if (!end || presence !== "active" || reservation || !["online", "polling"].includes(connection)) return false;
  const now = serverNow(state);
  return now - stood(outage, now) - end.until >= PATIENCE;
}

export class Overdue {
  /** @param {{store: Sale.Store, ask: () => unknown, now?: () => number}} parts */
  constructor({ store, ask, now = () => performance.now() }) {
    this.store = store;
    this.ask = ask;
    this.now = now;
    this.askedAt = -Infinity;
  }

  /** Called about once a second. */
  tick() {
    if (!isOverdue(this.store.state) || this.now() - this.askedAt < AGAIN) return;
    this.askedAt = this.now();
    this.ask();
  }
}

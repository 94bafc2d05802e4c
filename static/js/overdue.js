// The time of the seats or of the turn is over, and nobody has said what became of them: the page asks.
import { doubled } from "./backoff.js";
import { deadline } from "./deadline.js";
import { stood } from "./outage.js";
import { serverNow } from "./state.js";

const PATIENCE = 3000; // milliseconds: the server says so by itself within about one
const SPREAD = 5000; // milliseconds at most by which pages that were let in together do not ask together
const AGAIN = 10000; // milliseconds until it is asked once more, and each time twice as many
const LONGEST = 60000;

/**
 * Whether the clock has shown nothing for longer than the server takes to say why. An order that waits has a clock of its own.
 * @param {Sale.State} state
 * @param {number} [patience]
 */
export function isOverdue(state, patience = PATIENCE) {
  const { connection, doubted, outage, presence, reservation } = state;
  const end = deadline(state);
  if (!end || doubted || presence !== "active" || reservation || !["online", "polling"].includes(connection))
    return false;
  const now = serverNow(state);
  return now - stood(outage, now) - end.until >= patience;
}

export class Overdue {
  /** @param {{store: Sale.Store, ask: () => unknown, now?: () => number, random?: () => number}} parts */
  constructor({ store, ask, now = () => performance.now(), random = Math.random }) {
    this.store = store;
    this.ask = ask;
    this.now = now;
    this.patience = PATIENCE + random() * SPREAD;
    this.askedAt = -Infinity;
    this.askedAgain = 0; // times, since it became overdue
  }

  /** Called about once a second. */
  tick() {
    if (!isOverdue(this.store.state, this.patience)) {
      this.askedAgain = 0;
      return;
    }
    if (this.now() - this.askedAt < doubled(AGAIN, this.askedAgain, LONGEST)) return;
    if (this.askedAt !== -Infinity) this.askedAgain += 1;
    this.askedAt = this.now();
    this.ask();
  }
}

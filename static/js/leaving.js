// Leaving asks once, and can be taken back for ten seconds: until then nothing is given up, on the server neither.

export const UNDO_MS = 10000;
const AGAIN_MS = 5000; // until a server that was told, and says nothing, is told once more: to leave twice is to leave

export class Leaving {
  /**
   * `give()` tells the server, and answers whether it could be told.
   * @param {{store: Sale.Store, give: () => boolean, now?: () => number}} parts
   */
  constructor({ store, give, now = () => Date.now() }) {
    this.store = store;
    this.give = give;
    this.now = now;
    this.actions = {
      leave: () => this.#to("asked", null),
      stay: () => this.#to(null, null),
      go: () => this.#to("going", this.now() + UNDO_MS),
    };
    // Before the channel closes its socket. Whoever closes the page meant it.
    addEventListener("pagehide", () => this.#tell());
  }

  /** Called about once a second; a channel that is away is told when it is back. */
  tick() {
    const { leaving } = this.store.state.ui;
    if (leaving && leaving.step !== "asked" && this.now() >= (leaving.until ?? 0)) this.#tell();
  }

  #tell() {
    const step = this.store.state.ui.leaving?.step;
    if ((step === "going" || step === "gone") && this.give()) this.#to("gone", this.now() + AGAIN_MS);
  }

  /**
   * @param {"asked" | "going" | "gone" | null} step
   * @param {number | null} until
   */
  #to(step, until) {
    this.store.dispatch({ type: "leaving", leaving: step && { step, until } });
  }
}

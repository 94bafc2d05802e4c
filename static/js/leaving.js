// Leaving asks once, and can be taken back for ten seconds: until then nothing is given up, on the server neither.

export const UNDO_MS = 10000;
const AGAIN_MS = 5000; // until a server that was told, and says nothing, is told once more: to leave twice is to leave

/** How this page was come to: only who came by a link asks for a place by coming, and not by that to another language. */
function isLoadedAgain() {
  const [entry] = performance.getEntriesByType("navigation");
  if (new URLSearchParams(location.search).has("lang")) return true;
  return entry instanceof PerformanceNavigationTiming && entry.type !== "navigate";
}

/**
 * That this visitor has left is kept for this tab: F5 on the page that says so, or meanwhile, is no wish for a new place.
 * @param {Sale.Items} storage
 * @param {string} slug
 */
export function departure(storage, slug, again = isLoadedAgain()) {
  const name = `onsale.left.${slug}`;
  const known = again && storage.getItem(name) !== null;
  if (!known) storage.removeItem(name);
  return {
    /** The page was loaded again by somebody who has left. */
    known,
    keep: () => storage.setItem(name, "1"),
    /**
     * Told of each change of the state.
     * @param {Sale.State} before
     * @param {Sale.State} state
     */
    follow(before, state) {
      if (state.presence === before.presence) return;
      if (state.presence === "out" && state.outReason === "left") storage.setItem(name, "1");
      else if (before.presence === "out") storage.removeItem(name);
    },
  };
}

export class Leaving {
  /**
   * `give()` tells the server, and answers whether it could be told.
   * @param {{store: Sale.Store, give: () => boolean, now?: () => number}} parts
   */
  constructor({ store, give, now = () => performance.now() }) {
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

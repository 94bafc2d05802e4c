// Proof of work, in workers of ALTCHA's own (vendor/altcha): the page stays awake while it waits.

const MOST_WORKERS = 4; // at once: a phone has other things to do as well

/** @typedef {{parameters: Record<string, any>, signature?: string}} Challenge */
/** @typedef {{counter: number, derivedKey: string, time?: number}} Solution */

/** Whether this browser can do it: WebCrypto is only there on https pages, and on this machine's own. */
export const canWork = () => typeof Worker === "function" && Boolean(globalThis.crypto?.subtle);

/** Workers at one challenge at a time. */
export class Work {
  /**
   * @param {string} script the address of vendor/altcha/pbkdf2.js
   * @param {number} [cores]
   */
  constructor(script, cores = navigator.hardwareConcurrency || 2) {
    this.script = script;
    this.count = Math.max(1, Math.min(MOST_WORKERS, cores - 1));
    /** @type {Worker[]} */
    this.workers = [];
    /** @type {(() => void) | null} */
    this.giveUp = null;
  }

  /**
   * The solution as the server takes it (base64 of its JSON); null when it was stopped. Rejects when a worker fails.
   * @param {Challenge} challenge
   * @returns {Promise<string | null>}
   */
  async solve(challenge) {
    this.stop();
    /** @type {Solution | null} */
    const solution = await new Promise((resolve, reject) => {
      this.giveUp = () => resolve(null);
      for (let first = 0; first < this.count; first += 1) {
        const worker = new Worker(this.script);
        this.workers.push(worker);
        worker.addEventListener("message", ({ data }) => (data?.error ? reject(data.error) : resolve(data)));
        worker.addEventListener("error", () => reject(new Error("the worker failed")));
        worker.postMessage({ type: "work", challenge, counterStart: first, counterStep: this.count, timeout: 0 });
      }
    }).finally(() => this.#end());
    return solution && btoa(JSON.stringify({ challenge, solution }));
  }

  stop() {
    this.giveUp?.();
    this.#end();
  }

  #end() {
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
    this.giveUp = null;
  }
}

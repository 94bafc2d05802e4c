// What a place costs this browser: nothing, some work, or a captcha. Knows what the server asked for and what there is to
// hand in; says how it goes by `told`.
import { Captcha } from "./captcha.js";
import { canWork } from "./work.js";

/** @typedef {{challenge?: import("./work.js").Challenge, captcha?: {site_key: string, script: string}}} Wanted */

export class Price {
  /**
   * @param {object} parts
   * @param {Pick<import("./work.js").Work, "solve" | "stop">} parts.work
   * @param {(kind: NonNullable<Sale.State["price"]>) => void} parts.told
   * @param {() => void} parts.ready a proof can be handed in
   * @param {() => boolean} [parts.able]
   */
  constructor({ work, told, ready, able = canWork }) {
    this.work = work;
    this.told = told;
    this.ready = ready;
    this.able = able;
    this.captcha = typeof document === "undefined" ? null : new Captcha();
    /** @type {string | null} */
    this.proof = null;
    this.asked = 0; // the last thing that was wanted is what counts
    this.waiting = false;
  }

  /** Whether asking for a place makes sense: not while the proof for it is being made. */
  get mayAsk() {
    return !this.waiting;
  }

  /** @param {Wanted} wanted */
  async want({ challenge, captcha }) {
    const asked = (this.asked += 1);
    this.proof = null;
    this.waiting = true;
    try {
      if (challenge && this.able()) {
        this.told("working");
        this.#have(asked, await this.work.solve(challenge));
      } else if (captcha && this.captcha) {
        this.told("captcha");
        await this.captcha.show(captcha, (token) => this.#have(this.asked, token));
      } else this.told("insecure");
    } catch {
      // The script did not come, or the worker died: asking anew brings a new challenge.
      if (asked !== this.asked) return;
      this.told("failed");
    }
  }

  /** From the start, by the visitor's wish. */
  again() {
    this.over();
    this.ready();
  }

  /** The place is there. */
  over() {
    this.asked += 1;
    this.proof = null;
    this.waiting = false;
    this.work.stop();
  }

  /**
   * @param {number} asked
   * @param {string | null} proof
   */
  #have(asked, proof) {
    if (proof === null || asked !== this.asked) return;
    this.proof = proof;
    this.waiting = false;
    this.ready();
  }
}

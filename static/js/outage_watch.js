// For pages that have no channel: looks every few seconds at what is away (R4). The server answers without asking a store.
import { call } from "./api.js";
import { outageOf, saying } from "./outage.js";

const EVERY = 3000; // milliseconds: every open page hears of it within five seconds
const OVER_FOR = 8000; // milliseconds that it is said that it goes on
const ASK_TIMEOUT = 4000;

/** @returns {Promise<Omit<Wire.Outage, "type">>} */
const look = async () => (await call("GET", "/api/outage", { timeout: ASK_TIMEOUT })).body;

/** Calls `changed(kind)` whenever something else is to be said: the part of a key after `outage.`, or null. */
export class OutageWatch {
  /**
   * @param {object} parts
   * @param {(kind: string | null) => void} parts.changed
   * @param {() => unknown} [parts.back] before it is said that it goes on: what is asked for meanwhile is waited for
   * @param {() => Promise<Omit<Wire.Outage, "type">>} [parts.ask]
   * @param {number} [parts.every] milliseconds
   * @param {number} [parts.overFor] milliseconds
   */
  constructor({ changed, back = () => {}, ask = look, every = EVERY, overFor = OVER_FOR }) {
    /** @type {Sale.Outage | null} */
    this.outage = null;
    /** @type {string | null} */
    this.kind = null;
    this.changed = changed;
    this.back = back;
    this.ask = ask;
    this.every = every;
    this.overFor = overFor;
    this.timer = 0;
    this.overTimer = 0;
    this.stopped = false;
  }

  start() {
    document.addEventListener("visibilitychange", () => !document.hidden && this.look());
    void this.look();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.overTimer);
    this.#say(null);
  }

  async look() {
    clearTimeout(this.timer);
    try {
      if (!document.hidden) await this.#take(outageOf(await this.ask()));
    } catch {
      // No answer says nothing about the stores; what is known stays.
    }
    clearTimeout(this.timer);
    if (!this.stopped) this.timer = setTimeout(() => this.look(), this.every);
  }

  /** @param {Sale.Outage | null} now */
  async #take(now) {
    const was = this.outage;
    if (was && !now) await this.back();
    this.outage = now;
    if (this.stopped) return;
    if (now) {
      clearTimeout(this.overTimer);
      this.#say(saying(now));
    } else if (was) {
      this.#say("over");
      this.overTimer = setTimeout(() => this.#say(null), this.overFor);
    }
  }

  /** @param {string | null} kind */
  #say(kind) {
    if (kind === this.kind) return;
    this.kind = kind;
    this.changed(kind);
  }
}

// What the page of an offer knows and does: it follows the place that the link is about, takes the seats, passes them on or
// leaves the list. No DOM.
import { announce } from "./announce.js";
import { Refusal } from "./api.js";
import { Busy } from "./busy.js";
import { reason, t } from "./i18n.js";
import { learnt, sleepWatch } from "./server_clock.js";

const LOOK_EVERY = 20000; // milliseconds, while the offer stands
const AGAIN = 4000; // milliseconds until the next look, while nothing is known yet

export class Offered {
  /**
   * @param {object} parts
   * @param {ReturnType<typeof import("./api.js").offered>} parts.api
   * @param {() => void} parts.changed the page is to be drawn again
   * @param {(path: string) => unknown} parts.go leaves for another page; what is busy is so until its promise ends
   */
  constructor({ api, changed, go }) {
    this.api = api;
    this.changed = changed;
    this.go = go;
    this.busy = new Busy(changed);
    /** @type {Api.PlaceInList | null} */
    this.place = null;
    /** @type {string | null} */
    this.failed = null; // code
    this.gone = false; // the server knows no such place
    this.offset = 0; // server's clock minus performance.now(), milliseconds
    this.slept = sleepWatch();
    this.looking = false;
    this.lookedAt = -Infinity;
  }

  /** What the visitor has done with the offer, or null. */
  get done() {
    if (this.place?.state === "left") return "left";
    return this.place?.state === "waiting" && this.place.offer?.state === "passed" ? "passed" : null;
  }

  get #open() {
    return this.place?.offer?.state === "open" && this.place.state !== "left";
  }

  /** Called often: looks when it is time. */
  tick() {
    if (this.busy.on || this.looking || this.gone || (this.place && !this.#open)) return;
    const every = this.slept() ? 0 : this.place ? LOOK_EVERY : AGAIN;
    if (performance.now() - this.lookedAt >= every) void this.look();
  }

  /** The place as the server has it; false when that could not be learnt. */
  async look() {
    this.looking = true;
    this.lookedAt = performance.now();
    try {
      this.#take((await this.api.look()).body);
      this.failed = null;
      return true;
    } catch (error) {
      this.failed = error instanceof Refusal ? error.code : "store_unavailable";
      this.gone = error instanceof Refusal && error.code === "not_on_list";
      return false;
    } finally {
      this.looking = false;
      this.changed();
    }
  }

  /** @param {Api.PlaceInList} place */
  #take(place) {
    this.place = place;
    this.offset = learnt(this.offset, place.now, performance.now());
  }

  /** Milliseconds until the end of the offer. */
  get left() {
    return Date.parse(this.place?.offer?.until ?? "") - performance.now() - this.offset;
  }

  take() {
    return this.#run(async () => {
      const { body } = await this.api.take();
      await this.go(body.status === "PAYING" && body.payment ? body.payment.page : `/reservations/${body.id}`);
    });
  }

  pass() {
    return this.#run(async () => {
      this.#take((await this.api.pass()).body);
      announce(t("returns.passed"));
    });
  }

  leave() {
    return this.#run(async () => {
      await this.api.leave();
      if (this.place) this.place = { ...this.place, state: "left" };
      announce(t("returns.left_text"));
    });
  }

  /** @param {() => Promise<void>} work */
  async #run(work) {
    if (this.busy.on) return;
    this.failed = null;
    await this.busy.run(work, (error) => this.#went(error));
  }

  /**
   * What the page shows was true before: the server is asked before anything is said. Without an answer it may have been
   * done.
   * @param {unknown} error
   */
  async #went(error) {
    const looked = await this.look();
    if (!(error instanceof Refusal) && looked && !this.#open) {
      announce(t(this.done === "passed" ? "returns.passed" : this.done ? "returns.left_text" : "returns.taken"));
      return;
    }
    this.failed = error instanceof Refusal ? error.code : "no_answer";
    announce(reason(this.failed), { urgent: true });
  }
}

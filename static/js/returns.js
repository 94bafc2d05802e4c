// The waiting list on the sale page: joins it, and follows the visitor's place. It is asked for now and then, and at once
// when the channel says that it has changed; a reload finds it again.
import { announce } from "./announce.js";
import { ListApi, Refusal } from "./api.js";
import { Busy } from "./busy.js";
import { moment, t } from "./i18n.js";
import { returns } from "./views/returns.js";
import { kept } from "./kept.js";
import { render } from "../vendor/lit-html/lit-html.js";

const LOOK_EVERY = 20000; // milliseconds, while something may come

export class Returns {
  /**
   * @param {object} parts
   * @param {string} parts.slug
   * @param {() => Sale.State} parts.state
   * @param {() => void} parts.changed the page is to be drawn again
   * @param {() => void} parts.opens where the form may be closed away, it is opened
   * @param {Sale.Items} parts.storage where it is remembered that there is a place
   */
  constructor({ slug, state, changed, opens, storage }) {
    this.api = new ListApi(slug);
    this.state = state;
    this.changed = changed;
    this.opens = opens;
    this.storage = storage;
    this.name = `onsale.list.${slug}`;
    this.box = document.createElement("div");
    this.box.className = "returns-box";
    /** @type {Api.PlaceInList | null} */
    this.place = null;
    // Of a crowd at an opening nobody is asked about who has never joined.
    this.known = storage.getItem(this.name) === null;
    this.settled = this.known; // it is known, or could not be learnt
    this.busy = new Busy(changed);
    /** @type {string | null} */
    this.failed = null;
    this.ended = false; // an offer ran out while the page was open, and nobody asked for the form since
    this.lookedAt = -Infinity;
    this.view = kept((/** @type {Omit<import("./views/returns.js").Shown, "join" | "leave" | "again">} */ shown) =>
      returns({
        ...shown,
        join: (submitted) => this.#join(submitted),
        again: () => this.#again(),
        leave: () => this.#run(() => this.api.leave().then(() => this.#take(null))),
      }),
    );
  }

  /** Whether the visitor waits, or has an offer. */
  get live() {
    return this.place?.state === "waiting" || this.place?.state === "offered";
  }

  /** Whether it has something to say: it can be joined, or the visitor has a place. @param {boolean} open */
  shown(open) {
    return this.known && (open || this.live || this.place?.state === "lapsed");
  }

  /** Called often: looks when it is time. */
  tick() {
    if (this.known && !this.live) return;
    if (performance.now() - this.lookedAt >= LOOK_EVERY * (0.75 + Math.random() / 2)) this.look();
  }

  /** The place as the server has it. */
  async look() {
    this.lookedAt = performance.now();
    try {
      this.#take((await this.api.own()).body);
    } catch (error) {
      if (error instanceof Refusal && error.code === "not_on_list") this.#take(null);
    }
    if (this.settled) return;
    this.settled = true;
    this.changed();
  }

  draw() {
    const { event, ui } = this.state();
    if (!event) return;
    const { place, known, busy, failed, ended } = this;
    const shown = { event, place: known ? place : undefined, busy: busy.on, failed, ended, email: ui.email };
    render(this.view(shown), this.box);
  }

  /** @param {InputOf<HTMLFormElement>} submitted */
  #join(submitted) {
    submitted.preventDefault();
    const data = new FormData(submitted.target);
    const category = String(data.get("category") ?? "");
    const wish = {
      count: Number(data.get("count")),
      email: String(data.get("email") ?? "").trim(),
      ...(category ? { category } : {}),
    };
    this.#run(async () => this.#take((await this.api.join(wish)).body));
  }

  #again() {
    this.ended = false;
    this.opens();
    this.changed();
    /** @type {HTMLElement | null} */
    const first = this.box.querySelector("#returns-count");
    first?.focus();
  }

  /** @param {() => Promise<void>} work */
  #run(work) {
    if (this.busy.on) return;
    this.failed = null;
    const there = this.box.contains(document.activeElement);
    const done = async () => {
      await work();
      // What was pressed is gone with what it belonged to: on from here, unless the buyer went elsewhere meanwhile.
      const { activeElement } = document;
      /** @type {HTMLElement | null} */
      const heading = this.box.querySelector("#returns-title");
      if (there && (activeElement === document.body || this.box.contains(activeElement))) heading?.focus();
    };
    void this.busy.run(done, async (error) => {
      this.failed = error instanceof Refusal ? error.code : "store_unavailable";
      // The place is known by another tab, perhaps.
      if (this.failed === "already_on_list") await this.look();
    });
  }

  /** @param {Api.PlaceInList | null} place */
  #take(place) {
    const before = this.place?.state;
    this.place = place;
    this.ended = place?.state === "lapsed" && (this.ended || before === "offered");
    this.known = true;
    if (this.live) this.storage.setItem(this.name, "1");
    else this.storage.removeItem(this.name);
    if (place?.state === "offered" && before !== "offered" && place.offer)
      announce(
        `${t("returns.offered")}. ${t("returns.until", { time: moment(place.offer.until, this.state().event?.time_zone ?? "UTC") })}`,
        {
          urgent: true,
        },
      );
    else if (place?.state === "waiting" && before !== "waiting") announce(t("returns.waiting"));
    else if (this.ended && before === "offered") announce(`${t("returns.lapsed")}. ${t("returns.lapsed_text")}`);
    this.settled = true;
    this.changed();
  }
}

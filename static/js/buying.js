// From the pay button to the result, whatever happens to the network or the page in between.
import { cancel, Refusal, reservation as look, reservations } from "./api.js";
import { attemptFor, forget, provesNothing } from "./attempt.js";
import { Busy } from "./busy.js";
import { reason, t } from "./i18n.js";
import { mayPay } from "./outage.js";
import { beganNothing, pauseBefore } from "./repeat.js";
import { stage } from "./state.js";
import { note } from "./toast.js";

const LOOK_EVERY = [2000, 2000, 3000, 4000, 6000, 10000]; // milliseconds: the channel pushes the result, this is the net below
const LONGEST = 360000; // milliseconds: longer than all tries of one submit (repeat.js)

/** Nothing has begun, and the seats are not those any more that the buyer has pressed the button for. */
class OtherSeats extends Error {
  /** @param {Sale.State} state */
  constructor({ basketExpired }) {
    super();
    this.code = basketExpired ? "hold_expired" : "seats_changed";
  }
}

const LOOKS_LIKE_EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/; // the server judges; this only catches slips before the round trip

/** What `store.state` needs to have of a reservation, whoever tells it. @typedef {Omit<Sale.ReservationNews, "type">} News */

export class Buying {
  /**
   * `storage` is this tab's, `shared` one of all tabs of this browser.
   * @param {{slug: string, api: Pick<import("./api.js").EventApi, "reserve">, store: Sale.Store, storage: Sale.Items, shared: Sale.Items}} parts
   */
  constructor({ slug, api, store, storage, shared }) {
    this.slug = slug;
    this.api = api;
    this.store = store;
    this.storage = storage;
    this.shared = shared;
    this.busy = new Busy(() => {}, LONGEST);
    this.looks = 0;
    this.timer = 0;
    /** Leaves for the payment page. @param {string} path */
    this.go = (path) => location.assign(path);
    /** @param {number} ms */
    this.wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    this.actions = {
      /** The result was seen. */
      seen: () => {
        this.storage.removeItem(this.#name);
        store.dispatch({ type: "dismiss" });
      },
      /** Where nobody can pay, the form would only say so: it is said here, and the seats are still in sight. */
      checkout: () => {
        if (mayPay(store.state)) store.dispatch({ type: "step", step: "checkout" });
        else note(store, t("outage.pay_off"));
      },
      back: () => store.dispatch({ type: "step", step: "map" }),
      /** @param {InputOf<HTMLInputElement>} event */
      email: (event) => this.#email(event.target.value),
      /** @param {string} provider */
      provider: (provider) => store.dispatch({ type: "provider", provider }),
      giveBack: () => this.giveBack(),
      /** @param {Event} event */
      submit: (event) => {
        event.preventDefault();
        this.submit();
      },
    };
  }

  get #name() {
    return `onsale.reservation.${this.slug}`;
  }

  /** Under which the tabs tell each other of an order. */
  get #told() {
    return `onsale.order.${this.slug}`;
  }

  /** After a reload, and in another tab: an order that waits for its payment, or is being paid for, is shown again. */
  async resume() {
    const id = this.storage.getItem(this.#name);
    if (id) await this.#again(id);
    await this.#find(!id);
  }

  /**
   * Another tab has written something: the order that it has made of the seats that this one shows as its basket.
   * @param {string | null} name
   * @param {string | null} id
   */
  async heard(name, id) {
    if (name === this.#told && id && !this.store.state.reservation) await this.#again(id);
  }

  /** Whether an order waits for its payment of which this page does not know; it is shown then. */
  async find() {
    if (this.busy.on || this.store.state.reservation) return false;
    await this.#find(true);
    return this.store.state.reservation !== null;
  }

  /** @param {string} id */
  async #again(id) {
    try {
      const { body } = await look(id);
      // Given back by the buyer, on the payment page perhaps: that is no news, and the map is what is wanted.
      if (body.status === "CANCELLED") this.#over();
      else this.#under(body);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) this.#over();
    }
  }

  /**
   * All that was ordered here counts for one buyer's share; `under`: one that waits for its payment is shown.
   * @param {boolean} under
   */
  async #find(under) {
    try {
      const { body } = await reservations();
      const mine = body.reservations.filter((one) => one.event === this.slug);
      this.store.dispatch({ type: "orders", reservations: mine });
      const waits = mine.find((one) => one.status === "PAYING");
      if (under && waits) this.#under(waits);
    } catch {
      // A visitor who has not ordered anything, or no answer: the sale goes on, and the channel tells what happens.
    }
  }

  async submit() {
    const { store } = this;
    const { basket, ui } = store.state;
    if (this.busy.on || basket.seats.length === 0 || !mayPay(store.state)) return;
    const email = ui.email.trim();
    if (!LOOKS_LIKE_EMAIL.test(email)) {
      store.dispatch({ type: "email-wrong" });
      document.getElementById("email")?.focus();
      return;
    }
    await this.busy.run(
      async () => {
        store.dispatch({ type: "submitting" });
        const form = { email, provider: ui.provider };
        const body = await this.#send(attemptFor(this.storage, this.slug, basket.fence, form), basket);
        this.#under(body);
        // The order is made and the seats are kept: the money's part is a page of its own, whatever becomes of the note.
        if (body.status === "PAYING" && body.payment) this.go(body.payment.page);
        if (body.status === "PAYING") this.shared.setItem(this.#told, body.id);
      },
      (error) => this.#failed(error),
    );
  }

  /** @param {unknown} error */
  async #failed(error) {
    const { store } = this;
    const refused = error instanceof Refusal ? error : null;
    const code = error instanceof Refusal || error instanceof OtherSeats ? error.code : "no_answer";
    const inForm = stage(store.state) === "checkout";
    if (refused && provesNothing(refused.status)) forget(this.storage, this.slug);
    if (code === "invalid_request") {
      store.dispatch({ type: "email-wrong" });
      await null; // while it was sent the field could not have the focus: it is drawn anew first
      document.getElementById("email")?.focus();
    } else store.dispatch({ type: "submit-failed", code, retryAfter: refused?.retryAfter });
    // Another tab's attempt had these seats: its reservation is the answer.
    if (refused?.data.reservation) await this.#lead(refused.data.reservation);
    // Who went back to the map meanwhile is told there: the form that is opened again is a fresh one.
    const { state } = store;
    if (!inForm && stage(state) === "map" && !state.basketExpired) note(store, reason(code));
  }

  /**
   * The same request until there is an answer, or the server has more to do than it can for too long: the key makes that
   * harmless. What the page waits for is told. The order is for the seats that the server has in the basket when it comes:
   * with others than those of the press (`pressed`) it is sent again only where it may have come before.
   * @param {import("./attempt.js").Attempt} attempt
   * @param {Sale.Basket} pressed
   * @returns {Promise<News>}
   */
  async #send(attempt, pressed) {
    let mayHaveCome = false;
    for (let tried = 0; ; tried += 1) {
      try {
        return (await this.api.reserve(attempt.key, attempt.body)).body;
      } catch (error) {
        if (error instanceof Refusal && error.code === "idempotency_key_reused" && attempt.earlier) {
          // The first form of this attempt had arrived after all: its reservation is the one.
          return (await this.api.reserve(attempt.key, attempt.earlier)).body;
        }
        mayHaveCome ||= !beganNothing(error);
        const pause = pauseBefore(error, tried);
        if (pause === null) throw error;
        this.store.dispatch({ type: "submit-again", seconds: pause / 1000 });
        await this.wait(pause);
        // The channel may have told the result meanwhile.
        const { reservation } = this.store.state;
        if (reservation) return reservation;
        // Or that nobody can pay now: where nothing has begun, the buyer decides when.
        if (beganNothing(error) && !mayPay(this.store.state)) throw error;
        if (!mayHaveCome && hasChanged(pressed, this.store.state)) throw new OtherSeats(this.store.state);
      }
    }
  }

  /** The buyer changed their mind before any money moved: the seats are free again at once. */
  async giveBack() {
    const { store } = this;
    const { reservation } = store.state;
    if (this.busy.on || reservation?.status !== "PAYING") return;
    await this.busy.run(
      async () => {
        store.dispatch({ type: "giving-back", busy: true, failed: null });
        this.#under((await cancel(reservation.id)).body);
        store.dispatch({ type: "giving-back", busy: false, failed: null });
        store.dispatch({ type: "dismiss" });
      },
      async (error) => {
        const failed = error instanceof Refusal ? error.code : "no_answer";
        store.dispatch({ type: "giving-back", busy: false, failed });
        await this.#look();
      },
    );
  }

  /** @param {string} id */
  async #lead(id) {
    try {
      this.#under((await look(id)).body);
    } catch {
      // What was said stays; the reservation's page has the rest.
    }
  }

  /** News came by the channel. */
  told() {
    const { reservation } = this.store.state;
    if (reservation && reservation.status !== "PAYING") this.#ended(reservation);
    else if (reservation) this.#under(reservation);
  }

  /** @param {News} body */
  #under(body) {
    this.storage.setItem(this.#name, body.id);
    this.store.dispatch({ ...body, type: "reservation", asked: true });
    this.looks = 0;
    const { reservation } = this.store.state;
    if (reservation?.status === "PAYING") this.#lookLater();
    else this.#ended(reservation);
  }

  /**
   * A result that is good is shown again after a reload, until it was seen and more is wanted.
   * @param {Sale.State["reservation"]} reservation
   */
  #ended(reservation) {
    this.#over();
    if (reservation?.status === "CONFIRMED") this.storage.setItem(this.#name, reservation.id);
  }

  #over() {
    clearTimeout(this.timer);
    this.storage.removeItem(this.#name);
    this.shared.removeItem(this.#told);
    forget(this.storage, this.slug);
  }

  #lookLater() {
    clearTimeout(this.timer);
    const pause = LOOK_EVERY[Math.min(this.looks, LOOK_EVERY.length - 1)];
    this.timer = setTimeout(() => this.#look(), pause);
  }

  async #look() {
    const { reservation } = this.store.state;
    if (reservation?.status !== "PAYING") return;
    this.looks += 1;
    try {
      const { body } = await look(reservation.id);
      this.store.dispatch({ ...body, type: "reservation", asked: true });
      if (body.status !== "PAYING") {
        this.#ended(this.store.state.reservation);
        return;
      }
    } catch {
      // Asked again below; the banner tells about the connection.
    }
    this.#lookLater();
  }

  /** @param {string} email */
  #email(email) {
    this.store.dispatch({ type: "email", email });
    this.storage.setItem("onsale.email", email);
  }
}

/**
 * Whether other seats are held than those of the press, or the same ones anew, or others are being asked for or let go. More
 * time for them is no change.
 * @param {Sale.Basket} pressed
 * @param {Sale.State} state
 */
function hasChanged(pressed, { basket, pending }) {
  const others = basket.fence !== pressed.fence || String(basket.seats) !== String(pressed.seats);
  return others || Object.values(pending).some(({ kind }) => kind !== "extend");
}

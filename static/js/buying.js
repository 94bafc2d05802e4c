// From the pay button to the result, whatever happens to the network or the page in between.
import { cancel, NoAnswer, Refusal, reservation as look, reservations } from "./api.js";
import { attemptFor, forget, provesNothing } from "./attempt.js";
import { delay } from "./backoff.js";

const LOOK_EVERY = [2000, 2000, 3000, 4000, 6000, 10000]; // milliseconds: the channel pushes the result, this is the net below
const TRIES = 6; // of one submit whose answer gets lost

const LOOKS_LIKE_EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/; // the server judges; this only catches slips before the round trip

export class Buying {
  constructor({ slug, api, store, ui, storage }) {
    this.slug = slug;
    this.api = api;
    this.store = store;
    this.ui = ui;
    this.storage = storage;
    this.busy = false;
    this.looks = 0;
    this.timer = null;
    this.redraw = () => {};
    this.go = (path) => location.assign(path);
    this.actions = {
      checkout: () => store.dispatch({ type: "step", step: "checkout" }),
      back: () => store.dispatch({ type: "step", step: "map" }),
      email: (event) => this.#email(event.target.value),
      provider: (provider) => {
        ui.provider = provider;
        this.redraw();
      },
      giveBack: () => this.giveBack(),
      submit: (event) => {
        event.preventDefault();
        this.submit();
      },
    };
  }

  get #name() {
    return `onsale.reservation.${this.slug}`;
  }

  /** After a reload, and in another tab: an order that waits for its payment, or is being paid for, is shown again. */
  async resume() {
    const id = this.storage.getItem(this.#name);
    if (!id) {
      await this.#find();
      return;
    }
    try {
      const { body } = await look(id);
      // Given back by the buyer, on the payment page perhaps: that is no news, and the map is what is wanted.
      if (body.status === "CANCELLED") this.#over();
      else this.#under(body);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) this.#over();
    }
  }

  async #find() {
    try {
      const { body } = await reservations();
      const mine = body.reservations.find((one) => one.event === this.slug && one.status === "PAYING");
      if (mine) this.#under(mine);
    } catch {
      // A visitor who has not ordered anything, or no answer: the sale goes on, and the channel tells what happens.
    }
  }

  async submit() {
    const { store, ui } = this;
    const { basket } = store.state;
    if (this.busy || basket.seats.length === 0) return;
    const email = ui.email.trim();
    ui.emailWrong = !LOOKS_LIKE_EMAIL.test(email);
    if (ui.emailWrong) {
      this.redraw();
      document.getElementById("email")?.focus();
      return;
    }
    this.busy = true;
    store.dispatch({ type: "submitting" });
    const attempt = attemptFor(this.storage, this.slug, basket.fence, { email, provider: ui.provider });
    try {
      const body = await this.#send(attempt);
      this.#under(body);
      // The order is made and the seats are kept: the money's part is a page of its own.
      if (body.status === "PAYING" && body.payment) this.go(body.payment.page);
    } catch (error) {
      if (error instanceof Refusal && provesNothing(error.status)) forget(this.storage, this.slug);
      const code = error instanceof Refusal ? error.code : "no_answer";
      ui.emailWrong = code === "invalid_request";
      store.dispatch({
        type: "submit-failed",
        code: ui.emailWrong ? null : code,
        retryAfter: error.retryAfter ?? null,
      });
      // Another tab's attempt had these seats: its reservation is the answer.
      if (error instanceof Refusal && error.data.reservation) await this.#lead(error.data.reservation);
    } finally {
      this.busy = false;
      this.redraw();
    }
  }

  /** The same request until there is an answer: the key makes that harmless. */
  async #send(attempt) {
    for (let tried = 0; ; tried += 1) {
      try {
        return (await this.api.reserve(attempt.key, attempt.body)).body;
      } catch (error) {
        if (error instanceof Refusal && error.code === "idempotency_key_reused" && attempt.earlier) {
          // The first form of this attempt had arrived after all: its reservation is the one.
          return (await this.api.reserve(attempt.key, attempt.earlier)).body;
        }
        if (!(error instanceof NoAnswer) || tried + 1 >= TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, delay(tried)));
        // The channel may have told the result meanwhile.
        const { reservation } = this.store.state;
        if (reservation) return reservation;
      }
    }
  }

  /** The buyer changed their mind before any money moved: the seats are free again at once. */
  async giveBack() {
    const { reservation } = this.store.state;
    if (this.busy || reservation?.status !== "PAYING") return;
    this.busy = true;
    this.ui.givingBack = true;
    this.ui.giveBackFailed = null;
    this.redraw();
    try {
      this.#under((await cancel(reservation.id)).body);
      this.store.dispatch({ type: "dismiss" });
    } catch (error) {
      this.ui.giveBackFailed = error instanceof Refusal ? error.code : "no_answer";
      await this.#look();
    } finally {
      this.busy = false;
      this.ui.givingBack = false;
      this.redraw();
    }
  }

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
    if (reservation && reservation.status !== "PAYING") this.#over();
    else if (reservation) this.#under(reservation);
  }

  #under(body) {
    this.storage.setItem(this.#name, body.id);
    this.store.dispatch({ type: "reservation", asked: true, ...body });
    this.looks = 0;
    if (this.store.state.reservation?.status === "PAYING") this.#lookLater();
    else this.#over();
  }

  #over() {
    clearTimeout(this.timer);
    this.storage.removeItem(this.#name);
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
      this.store.dispatch({ type: "reservation", asked: true, ...body });
      if (body.status !== "PAYING") {
        this.#over();
        return;
      }
    } catch {
      // Asked again below; the banner tells about the connection.
    }
    this.#lookLater();
  }

  #email(value) {
    this.ui.email = value;
    this.storage.setItem("onsale.email", value);
    if (this.ui.emailWrong) {
      this.ui.emailWrong = false;
      this.redraw();
    }
  }
}

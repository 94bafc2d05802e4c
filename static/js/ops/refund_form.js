// What goes back of one reservation: all of it, single seats or an amount. What is asked is said in full before it is
// made, and it is made once, however often the button is pressed and whoever else is at it.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { Refusal } from "../api.js";
import { randomId } from "../attempt.js";
import { Busy } from "../busy.js";
import { counted, money, t } from "../i18n.js";
import * as api from "./api.js";
import { errorSummary } from "./error_summary.js";
import { field, goToFirst } from "./field.js";
import { seatName } from "../seat_words.js";
import { confirm, why } from "./notice.js";
import { either, said } from "./parts.js";
import { plan } from "./refund_plan.js";

/** @returns {Record<string, string>} */
const empty = () => ({ refund_amount: "", refund_fee: "", refund_reason: "" });

const WAYS = /** @type {const} */ (["all", "seats", "amount"]);

/** Refusals that mean: what was looked at is not so any more. */
const STALE = new Set(["refund_changed", "not_refundable", "refund_too_large", "invalid_request"]);

export class RefundForm {
  /**
   * `changed()` is called when the account is to be read anew.
   * @param {{id: string, draw: () => void, changed: () => void}} parts
   */
  constructor({ id, draw, changed }) {
    this.reservation = id;
    this.redraw = draw;
    this.changed = changed;
    this.id = "refund";
    this.busy = new Busy(draw);
    this.begun = false; // there was something to give back: the form stays where it is when there is no more
    /** What could be given back at first. @type {Set<number>} */
    this.offered = new Set();
    this.pressed = false;
    /** @type {Api.RefundMade | null} */
    this.made = null;
    this.failure = "";
    /** @type {Api.ReservationAccount | null} */
    this.account = null;
    this.way = /** @type {Console.RefundWay} */ ("all");
    /** @type {Set<number>} */
    this.seats = new Set();
    this.release = true;
    this.fields = empty();
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.tried = false;
    // One key for what the form says: pressed again after no answer, it is the same request.
    this.key = randomId();
    this.asked = ""; // the body that was sent under it
  }

  /** Of what was typed nothing is left; what was chosen, and the form's size with it, stays. */
  #clear() {
    this.seats.clear();
    this.fields = empty();
    this.wrong = new Map();
    this.tried = false;
    this.key = randomId();
    this.asked = "";
  }

  /** @param {Api.ReservationAccount} account */
  learn(account) {
    const own = new Set(account.seats.filter((seat) => seat.live).map((seat) => seat.ordinal));
    this.begun ||= account.status === "CONFIRMED";
    if (!this.account) this.offered = new Set(own);
    this.account = account;
    for (const seat of this.seats) if (!own.has(seat)) this.seats.delete(seat);
  }

  /**
   * @param {string} name
   * @param {HTMLInputElement} input
   */
  typed = (name, input) => {
    this.fields[name] = input.value;
    this.#checked();
  };

  /** @param {Console.RefundWay} way */
  #turn(way) {
    this.way = way;
    // An amount is a gesture: the seats stay the buyer's unless it is said.
    this.release = way !== "amount";
    this.#checked();
  }

  #checked() {
    this.made = null;
    if (this.tried) this.wrong = this.#plan().wrong;
    this.redraw();
  }

  #plan() {
    const { account, way, seats, release, fields } = this;
    if (!account) throw new Error("nothing is shown yet");
    return plan(account, {
      way,
      seats: [...seats].sort((a, b) => a - b),
      release,
      amount: fields.refund_amount,
      fee: fields.refund_fee,
      reason: fields.refund_reason,
    });
  }

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    if (this.busy.on || !this.account) return;
    const { account } = this;
    this.tried = true;
    this.failure = "";
    const { wrong, body, back, kept } = this.#plan();
    this.wrong = wrong;
    this.redraw();
    if (wrong.size) {
      const form = /** @type {HTMLElement} */ (event.target);
      goToFirst(form);
      return;
    }
    const values = { amount: money(back, account.currency), fee: money(kept, account.currency) };
    const sure = await confirm({
      title: t("ops.refund.sure", values),
      text: [this.#seatsSaid(), kept ? t("ops.refund.sure_fee", values) : "", t("ops.refund.sure_final")]
        .filter(Boolean)
        .join(" "),
      go: t("ops.refund.go"),
    });
    if (sure) await this.#send(body);
  };

  /** @returns {import("./error_summary.js").Fault[]} */
  #faults() {
    return [...this.wrong].map(([name, fault]) => ({
      id: `${this.id}-${name}`,
      label: name === "seats" ? t("ops.refund.which") : t(`ops.field.${name}`),
      fault,
    }));
  }

  /** What becomes of the seats, in words. */
  #seatsSaid() {
    const { account, way, release } = this;
    const going = way === "all" ? account?.seats.filter((seat) => seat.live).length : this.seats.size;
    if (way === "amount" && !release) return t("ops.refund.seats_stay");
    return release ? counted("ops.refund.seats_free", going ?? 0) : counted("ops.refund.seats_blocked", going ?? 0);
  }

  /** @param {Api.RefundReservation} body */
  async #send(body) {
    const asked = JSON.stringify(body);
    if (this.asked && this.asked !== asked) this.key = randomId();
    this.asked = asked;
    this.pressed = true;
    await this.busy.run(
      async () => {
        const made = await api.refund(this.reservation, this.key, body);
        this.#clear();
        this.made = made;
      },
      (error) => {
        this.failure = told(error);
        if (error instanceof Refusal && STALE.has(error.code)) this.key = randomId();
      },
    );
    this.changed();
  }

  /** @param {Api.ReservationAccount} account */
  card(account) {
    const { currency } = account;
    const made = this.made
      ? html`<p class="callout" data-kind="good" role="status" data-testid="refund-made">
          ${backAlready(account, this.made) ? t("ops.refund.made_done", { amount: money(this.made.amount, currency) }) : t("ops.refund.made", { amount: money(this.made.amount, currency) })}
          ${this.made.fee ? t("ops.refund.made_fee", { fee: money(this.made.fee, currency) }) : nothing}
        </p>`
      : nothing;
    const failure = this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing;
    return html`<section class="card" aria-labelledby="desk-form">
      <h2 id="desk-form">${t("ops.refund.form")}</h2>
      ${this.begun ? html`${this.#fields(account)} ${said(this.pressed, html`${made}${failure}`)}` : nothingLeft(account)}
    </section>`;
  }

  /** @param {Api.ReservationAccount} account */
  #fields(account) {
    const { way, release, wrong } = this;
    const { back, kept } = this.#plan();
    const { currency } = account;
    const seatsAsked = way === "seats" || (way === "amount" && release);
    /** @param {number} ordinal */
    const toggle = (ordinal) => {
      if (!this.seats.delete(ordinal)) this.seats.add(ordinal);
      this.#checked();
    };
    /** @param {InputOf<HTMLInputElement>} event */
    const free = (event) => {
      this.release = event.target.checked;
      this.#checked();
    };
    const open = account.status === "CONFIRMED";
    return html`<form class="sale-form" novalidate @submit=${this.#submit}>
      <fieldset class="whole" ?disabled=${!open}>
        <fieldset class="ways">
          <legend>${t("ops.refund.what")}</legend>
          ${WAYS.map(
            (one) =>
              html`<label class="check">
                <input type="radio" name="refund-way" .checked=${live(way === one)} @change=${() => this.#turn(one)} />
                <span>${t(`ops.refund.way.${one}`)}</span>
              </label>`,
          )}
        </fieldset>
        ${way === "amount" ? field(this, "refund_amount", { mode: "decimal", hint: t("ops.refund.amount_hint", { left: money(account.amount - account.refunded, currency) }) }) : nothing}
        <label class="check">
          <input type="checkbox" .checked=${live(release)} @change=${free} />
          <span>${way === "amount" ? t("ops.refund.release_some") : t("ops.refund.release")}</span>
        </label>
        ${way !== "amount" && !release ? html`<p class="note">${t("ops.refund.release_not")}</p>` : nothing}
        ${
          seatsAsked
            ? html`<fieldset
                class="ways"
                id="refund-seats"
                aria-invalid=${wrong.has("seats") ? "true" : nothing}
                tabindex="-1"
              >
                <legend>${t("ops.refund.which")}</legend>
                ${account.seats
                  .filter(({ ordinal }) => this.offered.has(ordinal))
                  .map(
                    (seat) =>
                      html`<label class="check">
                        <input
                          type="checkbox"
                          ?disabled=${!seat.live}
                          .checked=${live(this.seats.has(seat.ordinal))}
                          @change=${() => toggle(seat.ordinal)}
                        />
                        <span
                          >${seatName(seat)}
                          <small>${seat.live ? money(seat.price, currency) : t("ops.refund.seat_gone")}</small></span
                        >
                      </label>`,
                  )}
                ${wrong.has("seats") ? html`<p class="wrong">${t("ops.field.wrong.refund_seats")}</p>` : nothing}
              </fieldset>`
            : nothing
        }
        ${way === "amount" ? nothing : field(this, "refund_fee", { mode: "decimal", hint: t("ops.refund.fee_hint") })}
        ${field(this, "refund_reason", { hint: t("ops.refund.reason_hint") })}
        ${wrong.size ? errorSummary(this.#faults()) : nothing}
        <p class="sum" aria-live="polite">
          <span>${t("ops.refund.back")}</span>
          <strong>${Number.isNaN(back) ? "–" : money(back, currency)}</strong>
          ${kept ? html`<small>${t("ops.refund.kept", { fee: money(kept, currency) })}</small>` : nothing}
        </p>
      </fieldset>
      ${either(
        open,
        html`<button
          class="button primary waits"
          type="submit"
          aria-busy=${this.busy.on}
          aria-disabled=${this.busy.on || !open}
        >
          <span>${t("ops.refund.go")}</span>
          ${this.busy.on ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
        </button>`,
        // What it will most likely be keeps its room from the beginning.
        t(`ops.refund.nothing.${open ? "CANCELLED" : account.status}`),
      )}
    </form>`;
  }
}

/** @param {Api.ReservationAccount} account */
const nothingLeft = ({ status }) =>
  html`<p class="quiet" data-testid="refund-nothing">${t(`ops.refund.nothing.${status}`)}</p>`;

/**
 * @param {Api.ReservationAccount} account
 * @param {Api.RefundMade} made
 */
const backAlready = ({ refunds }, { id, state }) =>
  state === "DONE" || refunds.some((one) => one.id === id && one.state === "DONE");

/** Refusals whose sentence here says what to do next. */
const SAID = new Set(["refund_changed", "not_refundable", "refund_too_large", "payment_in_progress", "seats"]);

/**
 * What went wrong, and what to do.
 * @param {unknown} error
 */
function told(error) {
  if (!(error instanceof Refusal)) return t("ops.refund.wrong.no_answer");
  const key = error.code === "invalid_request" && error.data.seats ? "seats" : error.code;
  return SAID.has(key) ? t(`ops.refund.wrong.${key}`) : why(error);
}

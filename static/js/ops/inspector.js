// One box for whatever the customer gave: an e-mail address, a reservation, a visitor, a seat. Finds it, and says why it
// does not work, what to do, and what to answer.
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { counted, money, t } from "../i18n.js";
import { askedInAddress } from "./address.js";
import * as api from "./api.js";
import { seatName } from "../seat_words.js";
import { at, figure, span } from "./format.js";
import { attempt, tell } from "./notice.js";
import { advice, oneOf, pill, seen, statusPill, stepName } from "./parts.js";
import { Room } from "./room.js";
import { MOST, SeatFinder } from "./seat_finder.js";

const VISITOR = /^v_[A-Za-z0-9_-]{22}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** @type {Record<Console.SeatState, string>} */
const SEAT_KIND = { available: "good", held: "warn", sold: "plain", blocked: "bad" };

const NOBODY = "–";

/**
 * What a diagnosis comes to; its figures are other ones with each look.
 * @param {Console.Subject} subject
 */
const sense = ({ diagnosis, reservations }) =>
  JSON.stringify([
    diagnosis.cause,
    diagnosis.steps.map(({ step, level, key }) => [step, level, key]),
    reservations.map(({ id, status }) => [id, status]),
  ]);

export class Inspector {
  /** @param {{sale: Console.SaleApi, actions: Console.SaleActions, host: HTMLElement}} parts */
  constructor({ sale, actions, host }) {
    this.sale = sale;
    this.actions = actions;
    this.host = host;
    this.finder = new SeatFinder(sale);
    /** @type {Set<number>} */
    this.chosen = new Set();
    /** @type {Console.Found | null} */
    this.result = null;
    this.asking = false;
    this.turn = 0; // counts the questions: an answer to an earlier one is not shown
    this.shown = 0; // counts the answers: each is drawn by itself, and moves nothing that the last one left
    this.refreshing = false;
    this.text = "";
    /** @type {Api.BlockedSeats["unchanged"]} */
    this.left = []; // of the last change: seats that it did not touch
    this.draw();
    const box = host.querySelector("[data-result]");
    this.room = new Room(/** @type {HTMLElement} */ (box));
    askedInAddress((text) => this.look(text));
  }

  /** The page is there: what was asked for by its address before that has its room from the beginning. */
  appeared() {
    if (this.asking) this.room.keep();
    else if (document.activeElement === document.body) this.focus();
  }

  /** By a press: what is below leaves now, and not when the answer comes; its beginning is in sight. */
  #ask() {
    const { top } = this.room.box.getBoundingClientRect();
    if (top < 0 || top > innerHeight) this.host.scrollIntoView({ behavior: "instant" });
    this.room.free();
    this.room.keep();
  }

  /** @param {string} text */
  async look(text) {
    this.text = text.trim();
    if (!this.text) return;
    this.#ask();
    await this.#search();
  }

  async #search() {
    this.left = [];
    this.chosen.clear();
    /** @type {HTMLInputElement | null} */
    const input = this.host.querySelector("#find");
    if (input) input.value = this.text;
    await this.#work(async () => {
      if (VISITOR.test(this.text)) return this.#subject({ event: this.sale.slug, visitor: this.text });
      if (UUID.test(this.text)) return this.#subject({ reservation: this.text });
      if (this.text.includes("@")) return { kind: "reservations", ...(await api.findReservations(this.text)) };
      await this.finder.load();
      return { kind: "seats", ...this.finder.find(this.text) };
    });
  }

  /** What was ticked while the answer was under way stays so, unless it is shown no more: nobody blocks what is not seen. */
  #chooseShown() {
    const shown = new Set(this.result?.kind === "seats" ? this.result.found.map((seat) => seat.ordinal) : []);
    for (const ordinal of this.chosen) if (!shown.has(ordinal)) this.chosen.delete(ordinal);
  }

  /** @param {number} ordinal */
  seat = (ordinal) => {
    this.#ask();
    return this.#work(() => this.#subject({ event: this.sale.slug, seat: ordinal }));
  };

  /** @param {() => Promise<Console.Found>} action */
  async #work(action) {
    const turn = (this.turn += 1);
    this.asking = true;
    this.draw();
    try {
      const result = await attempt(action);
      if (turn !== this.turn) return; // something else was asked meanwhile
      if (result) this.#take(result);
    } finally {
      if (turn === this.turn) {
        this.asking = false;
        this.#fill();
      }
    }
    this.focus();
  }

  /** @param {Console.Found} result */
  #take(result) {
    this.result = result;
    this.shown += 1;
    this.#chooseShown();
  }

  /** What comes now, came by itself. */
  #fill() {
    this.room.hold();
    this.draw();
    this.room.fill();
  }

  /** Goes to what was found, if anything was asked for. */
  focus() {
    if (!this.turn || this.asking) return;
    /** @type {HTMLElement | null} */
    const shown = this.host.querySelector("[data-result]");
    shown?.focus({ preventScroll: true });
  }

  /**
   * What is shown, as it is now: quietly, and not while something is being done with it. What is found out otherwise
   * waits for a press.
   */
  async refresh() {
    const { result } = this;
    if (!result || this.asking || this.refreshing || document.querySelector("dialog[open]")) return;
    this.refreshing = true;
    try {
      /** @type {Console.Found} */
      let fresh = result;
      if (result.kind === "subject") {
        const later = await this.#subject(result.question);
        fresh = { ...result, seat: later.seat, later: sense(later) === sense(result) ? null : later };
      }
      if (result.kind === "seats") {
        await this.finder.load();
        fresh = { kind: "seats", ...this.finder.find(this.text) };
      }
      if (this.asking || this.result !== result) return;
      this.result = fresh;
      this.#fill();
    } catch {
      // The figures above say that nothing answers; asked again with a later look.
    } finally {
      this.refreshing = false;
    }
  }

  /**
   * @param {Console.Question} question
   * @returns {Promise<Console.Subject>}
   */
  async #subject(question) {
    const [diagnosis, seat, found] = await Promise.all([
      api.diagnose(question),
      question.seat === undefined ? null : this.sale.seat(question.seat),
      question.visitor
        ? api.findReservations(question.visitor)
        : question.reservation
          ? api.findReservations(question.reservation)
          : null,
    ]);
    return { kind: "subject", question, diagnosis, seat, reservations: (seat ?? found)?.reservations ?? [] };
  }

  #again = async (fix = false) => {
    if (this.result?.kind !== "subject") return;
    const { question } = this.result;
    if (fix)
      await attempt(
        () => api.diagnose({ ...question, fix: true }),
        () => t("ops.find.mended"),
      );
    await this.#work(() => this.#subject(question));
  };

  /** By a press, which asks for what is found out after it as well. */
  #lookAgain = (fix = false) => {
    this.#ask();
    return this.#again(fix);
  };

  /** @param {Promise<unknown>} action what it resolves to says whether something was done */
  #act = async (action) => {
    if (await action) await this.#again();
  };

  /** @param {Console.Subject} later */
  #show = (later) => {
    this.#ask();
    this.#take(later);
    this.#fill();
    this.focus();
  };

  draw() {
    /** @param {InputOf<HTMLFormElement>} event */
    const submit = (event) => {
      event.preventDefault();
      this.look(String(new FormData(event.target).get("find") ?? ""));
    };
    render(
      html`<h2 id="find-title">${t("ops.find.title")}</h2>
        <form class="find" role="search" @submit=${submit}>
          <label class="visually-hidden" for="find">${t("ops.find.label")}</label>
          <input
            id="find"
            name="find"
            type="search"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            placeholder=${t("ops.find.placeholder")}
          />
          <button class="button small primary" type="submit">${t("ops.find.go")}</button>
        </form>
        <p class="hint">${t("ops.find.hint")}</p>
        <div class="result answer" data-result tabindex="-1" aria-busy=${this.asking}>
          ${repeat(this.result ? [this.shown] : [], String, () => this.#result())}
        </div>`,
      this.host,
    );
  }

  #result() {
    const { result } = this;
    if (!result) return nothing;
    if (result.kind === "seats") return this.#seats(result);
    if (result.kind === "reservations")
      return result.reservations.length
        ? this.#reservations(result.reservations)
        : html`<p class="quiet">${t("ops.find.nothing")}</p>`;
    return this.#inspected(result);
  }

  /** @param {{found: Console.FoundSeat[], total: number}} result */
  #seats({ found, total }) {
    if (!total) return html`<p class="quiet">${t("ops.find.nothing")}</p>`;
    const { chosen } = this;
    const states = Object.keys(SEAT_KIND).map((state) => t(`ops.seat.${state}`));
    const all = found.length > 0 && found.every((seat) => chosen.has(seat.ordinal));
    /** @param {number} ordinal */
    const toggle = (ordinal) => {
      if (!chosen.delete(ordinal)) chosen.add(ordinal);
      this.draw();
    };
    const toggleAll = () => {
      for (const seat of found) {
        if (all) chosen.delete(seat.ordinal);
        else chosen.add(seat.ordinal);
      }
      this.draw();
    };
    /** @param {boolean} blocked */
    const block = async (blocked) => {
      const done = await this.actions.block([...chosen], blocked);
      if (!done) return;
      await this.#search();
      this.left = done.unchanged;
      this.#fill();
    };
    return html`
      <div class="seat-tools">
        <label
          ><input type="checkbox" .checked=${all} @change=${toggleAll} />
          ${t("ops.find.all", { number: figure(found.length) })}</label
        >
        ${total > MOST ? html`<small>${t("ops.find.more", { number: figure(total) })}</small>` : nothing}
        <button type="button" class="button small secondary" ?disabled=${!chosen.size} @click=${() => block(true)}>
          ${t("ops.block.go")}
        </button>
        <button type="button" class="button small secondary" ?disabled=${!chosen.size} @click=${() => block(false)}>
          ${t("ops.unblock.go")}
        </button>
      </div>
      <ul class="seats">
        ${found.map(
          (seat) =>
            html`<li>
              <input
                type="checkbox"
                aria-label=${seat.name}
                .checked=${chosen.has(seat.ordinal)}
                @change=${() => toggle(seat.ordinal)}
              />
              <button type="button" class="link" @click=${() => this.seat(seat.ordinal)}>${seat.name}</button>
              ${oneOf(states, pill(SEAT_KIND[seat.state], t(`ops.seat.${seat.state}`)))}
            </li>`,
        )}
      </ul>
      ${this.left.length ? this.#left() : nothing}
    `;
  }

  /** The seats that a change has left as they are, each with what it is. */
  #left() {
    const title = counted("ops.block.left", this.left.length);
    return html`<div class="callout" data-kind="warn" data-testid="left">
      <p role="status">${title}</p>
      <ul class="left" tabindex="0" role="group" aria-label=${title}>
        ${this.left.map(({ seat, status }) => html`<li>${this.finder.nameOf(seat)}: ${t(`ops.seat.left_${status ?? "UNKNOWN"}`)}</li>`)}
      </ul>
    </div>`;
  }

  /** @param {Console.ListedReservation[]} reservations */
  #reservations = (reservations) =>
    html`<ul class="found">
      ${reservations.map(
        (one) =>
          html`<li>
            <button type="button" class="link" @click=${() => this.look(one.id)}>
              ${at(one.created_at)} · ${one.email}
            </button>
            ${statusPill(one.status)}
            <small
              >${[one.event, one.seats?.map((seat) => `#${seat}`).join(" "), one.amount === undefined || one.currency === undefined ? null : money(one.amount, one.currency), one.reason].filter(Boolean).join(" · ")}</small
            >
          </li>`,
      )}
    </ul>`;

  /** @param {Console.Subject} subject */
  #inspected({ question, diagnosis, seat, reservations, later }) {
    const title = seat ? seatName(seat) : (question.visitor ?? question.reservation ?? "");
    const visitor = question.visitor ?? reservations[0]?.visitor ?? null;
    return html`
      <h3 class="subject">${title}</h3>
      ${seat ? this.#seatFacts(seat) : nothing}
      <p class="cause">
        <strong>${t("ops.find.cause")}</strong> <code>${(later ?? { diagnosis }).diagnosis.cause}</code>
      </p>
      <div class="either">
        <p class="advice" ?data-off=${Boolean(later)}>${advice(diagnosis.cause, diagnosis.action)}</p>
        <p class="alert-line fresh" data-level="new" role="status" ?data-off=${!later}>
          <span>${t("ops.find.changed")}</span>
          <button type="button" class="button small secondary" @click=${() => later && this.#show(later)}>
            ${t("ops.fresh.show")}
          </button>
        </p>
      </div>
      <div class="actions">
        ${diagnosis.steps.some((step) => step.fixable && !step.fixed) ? html`<button type="button" class="button small primary" @click=${() => this.#lookAgain(true)}>${t("ops.find.mend")}</button>` : nothing}
        ${visitor && !seat ? html`<button type="button" class="button small secondary" @click=${() => this.#act(this.actions.remove(visitor))}>${t("ops.remove.go")}</button>` : nothing}
        ${question.reservation ? html`<a class="button small secondary" href=${`/ops/refunds#find=${question.reservation}`}>${t("ops.refund.title")}</a>` : nothing}
        <button type="button" class="button small secondary" @click=${() => this.#lookAgain()}>
          ${t("ops.find.again")}
        </button>
        ${seat ? this.#seatActions(seat) : nothing}
      </div>
      <div class="found-out" ?data-gone=${Boolean(later)}>
        <ol class="steps">
          ${diagnosis.steps.map(
            (step) =>
              html`<li data-level=${step.level}>
                <span class="level">${t(`ops.level.${step.level}`)}</span> <strong>${stepName(step.step)}</strong>
                <span>${seen(step)}</span>
              </li>`,
          )}
        </ol>
        <h4>${t("ops.find.reply")}</h4>
        ${Object.entries(diagnosis.reply).map(
          ([language, reply]) =>
            html`<div class="reply" lang=${language}>
              <p>${reply}</p>
              <button
                type="button"
                class="button small secondary"
                ?data-off=${Boolean(later)}
                @click=${() => copy(reply)}
              >
                ${t("ops.find.copy", { language })}
              </button>
            </div>`,
        )}
        ${
          visitor && !seat && question.reservation
            ? html`<p class="quiet">
                ${t("ops.find.visitor")}
                <button type="button" class="link" @click=${() => this.look(visitor)}><code>${visitor}</code></button>
              </p>`
            : nothing
        }
        ${
          reservations.length
            ? html`<h4>${t("ops.find.reservations")}</h4>
                ${this.#reservations(reservations)}`
            : nothing
        }
      </div>
    `;
  }

  /**
   * Each in its place, whether it can be done now or not.
   * @param {Api.SeatFacts} seat
   */
  #seatActions({ seat, status, holder }) {
    const blocked = status === "BLOCKED";
    const releasable = holder && !holder.paying ? holder.visitor : null;
    return html`<button
        type="button"
        class="button small secondary"
        ?data-off=${!["AVAILABLE", "BLOCKED"].includes(status)}
        @click=${() => this.#act(this.actions.block([seat], !blocked))}
      >
        ${oneOf([t("ops.unblock.go"), t("ops.block.go")], t(blocked ? "ops.unblock.go" : "ops.block.go"))}
      </button>
      <button
        type="button"
        class="button small secondary"
        ?data-off=${releasable === null}
        @click=${() => releasable && this.#act(this.actions.release(seat, releasable))}
      >
        ${t("ops.release.go")}
      </button>`;
  }

  /** @param {Api.SeatFacts} seat */
  #seatFacts = (seat) => {
    const { holder } = seat;
    return html`<dl class="seat-facts">
      <div>
        <dt>${t("ops.seat.ordinal")}</dt>
        <dd>#${seat.seat} · ${seat.category} · ${money(seat.price, seat.currency)}</dd>
      </div>
      <div>
        <dt>PostgreSQL</dt>
        <dd>${seat.status} · ${t("ops.since", { time: at(seat.since) })}</dd>
      </div>
      <div>
        <dt>Redis</dt>
        <dd>${seat.shown ? t(`ops.seat.${seat.shown}`) : t("ops.seat.no_board")}</dd>
      </div>
      <div>
        <dt>${t("ops.seat.holder")}</dt>
        <dd class="holder">
          ${
            holder
              ? html`<button type="button" class="link" @click=${() => this.look(holder.visitor)}>
                    <code>${holder.visitor}</code>
                  </button>
                  <span>${holder.paying ? t("ops.paying") : left(holder.seconds_left)}</span>`
              : NOBODY
          }
        </dd>
      </div>
      <div>
        <dt>${t("ops.seat.lock")}</dt>
        <dd>${seat.lock_seconds === null ? NOBODY : left(seat.lock_seconds < 0 ? null : seat.lock_seconds)}</dd>
      </div>
    </dl>`;
  };
}

/** @param {number | null} seconds null: it has no end */
const left = (seconds) => (seconds === null ? t("ops.seat.forever") : span(seconds));

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell(t("ops.find.copied"));
  } catch {
    tell(t("ops.find.not_copied"), { bad: true });
  }
}

// The way to a seat without the map: area -> row -> seat, for keyboards and screen readers, and for whoever likes lists.
// It shows the same board, holds and lets go the same seats, and follows changes as they happen.
import { AVAILABLE, HELD, SOLD } from "../board.js";
import { counted, money, t } from "../i18n.js";
import { SectionCounts } from "../section_counts.js";
import { sectionWords } from "../section_words.js";
import { numberName, rowName } from "../seat_words.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";

/**
 * @typedef {ReadonlySet<number>} Seats
 * @typedef {{own: Seats, asked: Seats, filter: ReadonlySet<number> | null, currency: string}} ListModel
 */

export class SeatList {
  /**
   * `onPick(ordinal)` when a seat is chosen or let go, `onGo(zone, row)` when another zone or row is shown, by index.
   * @param {{plan: Sale.Plan, board: import("../board.js").Board, model: () => ListModel, onPick: (ordinal: number) => void, onGo: (zone: number | null, row: number | null) => void}} parts
   */
  constructor({ plan, board, model, onPick, onGo }) {
    this.plan = plan;
    this.board = board;
    this.model = model;
    this.sections = new SectionCounts(plan);
    this.said = sectionWords(plan, () => model().currency);
    this.onPick = onPick;
    this.onGo = onGo;
    /** @type {Sale.Zone | null} */
    this.zone = plan.zones.length === 1 ? plan.zones[0] : null;
    /** @type {Sale.Row | null} */
    this.row = null;
    this.element = document.createElement("div");
    this.element.className = "seat-list";
  }

  /** Draws again; cheap enough for every batch of changes, because only one level is in the page. */
  update() {
    render(this.#step(), this.element);
  }

  /** Puts the focus on the heading of the present step. */
  focus() {
    this.update();
    /** @type {HTMLElement | null} */
    const heading = this.element.querySelector("[data-heading]");
    heading?.focus();
  }

  /**
   * @param {Sale.Zone | null} zone
   * @param {Sale.Row | null} row
   */
  #go(zone, row) {
    this.zone = zone;
    this.row = row;
    this.onGo(zone?.index ?? null, row?.index ?? null);
    this.focus();
  }

  /**
   * Shows what the browser's history says was shown.
   * @param {number | null} zone
   * @param {number | null} row
   */
  show(zone, row) {
    this.begin(zone, row);
    this.update();
  }

  /**
   * Where the list is when it is drawn next; the whole hall where nothing is said, or of another plan.
   * @param {number | null} zone
   * @param {number | null} row
   */
  begin(zone, row) {
    const { zones } = this.plan;
    this.row = row === null ? null : (this.plan.rows[row] ?? null);
    this.zone = zones.length === 1 ? zones[0] : (zones.find((one) => one.index === zone) ?? null);
  }

  #step() {
    const { zone, row } = this;
    if (zone !== null && row !== null) return this.#seats(zone, row);
    if (zone !== null) return this.#rows(zone);
    return this.#zones();
  }

  #zones() {
    const { said } = this;
    return html`
      ${this.#heading(t("list.choose_zone"))}
      <ul class="list-choices">
        ${this.sections.count(this.board.states, this.model().filter).map((section) => {
          const { name, from, free } = said(section);
          return html`<li>
            <button
              type="button"
              class="list-choice"
              data-none=${section.free === 0 ? "" : nothing}
              @click=${() => this.#go(section.zone, null)}
            >
              <span class="list-name">${name}</span>
              <span class="list-free">${[from, free].filter(Boolean).join(" · ")}</span>
            </button>
          </li>`;
        })}
      </ul>
    `;
  }

  /** @param {Sale.Zone} zone */
  #rows(zone) {
    const free = this.#countBy((ordinal) => this.plan.rowOf[ordinal]);
    return html`
      ${this.plan.zones.length > 1 ? this.#back(t("list.all_zones"), () => this.#go(null, null)) : nothing}
      ${this.#heading(t("list.choose_row", { zone: zone.name || t("list.hall") }))}
      <ul class="list-choices list-rows">
        ${zone.rows.map((index) => {
          const row = this.plan.rows[index];
          const count = free.get(index) ?? 0;
          return html`<li>
            <button
              type="button"
              class="list-choice"
              data-none=${count === 0 ? "" : nothing}
              @click=${() => this.#go(zone, row)}
            >
              <span class="list-name">${rowName(row.name)}</span>
              <span class="list-free">${counted("seats.free", count)}</span>
            </button>
          </li>`;
        })}
      </ul>
    `;
  }

  /**
   * @param {Sale.Zone} zone
   * @param {Sale.Row} row
   */
  #seats(zone, row) {
    const model = this.model();
    return html`
      ${this.#back(t("list.rows_of", { zone: zone.name || t("list.hall") }), () => this.#go(zone, null))}
      ${this.#heading(t("list.choose_seat", { zone: zone.name || t("list.hall"), row: row.name }))}
      <ul class="list-seats">
        ${repeat(
          row.seats.filter((ordinal) => this.#passes(ordinal, model)),
          (ordinal) => ordinal,
          (ordinal) => this.#seat(ordinal, model),
        )}
      </ul>
    `;
  }

  /**
   * @param {number} ordinal
   * @param {ListModel} model
   */
  #seat(ordinal, { own, asked, currency }) {
    const seat = this.plan.seat(ordinal);
    const look = lookOf(ordinal, this.board, own, asked);
    const taken = look === "held" || look === "sold" || look === "blocked";
    return html`<li>
      <button
        type="button"
        class="list-seat"
        data-look=${look}
        data-ordinal=${ordinal}
        aria-pressed=${look === "own" ? "true" : "false"}
        aria-disabled=${taken ? "true" : nothing}
        @click=${() => this.onPick(ordinal)}
      >
        <span class="glyph" data-look=${look} aria-hidden="true"></span>
        <span class="list-seat-name">${numberName(seat.number)}</span>
        <span class="list-seat-more">
          ${seat.category}${seat.accessible ? html`, ${t("seat.accessible")}` : nothing}
        </span>
        <span class="list-seat-price">${seat.price === null ? nothing : money(seat.price, currency)}</span>
        <span class="list-seat-state">${t(`state.${look}`)}</span>
      </button>
    </li>`;
  }

  /**
   * @param {number} ordinal
   * @param {ListModel} model
   */
  #passes(ordinal, { filter, own }) {
    return filter === null || filter.has(this.plan.category[ordinal]) || own.has(ordinal);
  }

  /** @param {string} text */
  #heading(text) {
    return html`<h2 class="list-heading" tabindex="-1" data-heading>${text}</h2>`;
  }

  /**
   * @param {string} text
   * @param {() => void} go
   */
  #back(text, go) {
    return html`<button type="button" class="list-back" @click=${go}>
      <span aria-hidden="true">←</span> ${text}
    </button>`;
  }

  /** @param {(ordinal: number) => number} group */
  #countBy(group) {
    const { filter } = this.model();
    /** @type {Map<number, number>} */
    const counts = new Map();
    const { states } = this.board;
    for (let i = 0; i < states.length; i += 1) {
      if (states[i] !== AVAILABLE || (filter !== null && !filter.has(this.plan.category[i]))) continue;
      counts.set(group(i), (counts.get(group(i)) ?? 0) + 1);
    }
    return counts;
  }
}

/** @typedef {"free" | "own" | "asked" | "held" | "sold" | "blocked"} LookName */

/**
 * @param {number} ordinal
 * @param {import("../board.js").Board} board
 * @param {ReadonlySet<number>} own
 * @param {ReadonlySet<number>} asked
 * @returns {LookName}
 */
export function lookOf(ordinal, board, own, asked) {
  if (own.has(ordinal)) return "own";
  if (asked.has(ordinal)) return "asked";
  const state = board.states[ordinal];
  if (state === AVAILABLE) return "free";
  if (state === HELD) return "held";
  return state === SOLD ? "sold" : "blocked";
}

// Finds seats by what people call them: "Stalls 3 12", "3-12", "#17", "Standard".
import { seatName } from "../seat_words.js";

/** @type {Console.SeatState[]} */
const STATES = ["available", "held", "sold", "blocked"];
export const MOST = 200;

export class SeatFinder {
  /** @param {Console.SaleApi} sale */
  constructor(sale) {
    this.sale = sale;
    /** @type {Api.Plan | null} */
    this.plan = null;
    this.states = new Uint8Array(0);
  }

  /** Loads the plan once, and the board each time. */
  async load() {
    const [plan, board] = await Promise.all([this.plan ?? this.sale.plan(), this.sale.board()]);
    this.plan = plan;
    this.states = Uint8Array.from(atob(board.states), (char) => char.charCodeAt(0));
  }

  /**
   * Seats that every word of `text` fits, in plan order, `MOST` at most; `total` is how many there are.
   * @param {string} text
   */
  find(text) {
    const words = text
      .toLowerCase()
      .trim()
      .split(/[\s,]+/)
      .filter(Boolean);
    /** @type {Console.FoundSeat[]} */
    const found = [];
    let total = 0;
    if (!words.length) return { found, total };
    // A name as it is printed somewhere, "Block D, row 12, seat 10", is that seat and no other.
    const printed = new Set([plain(text), plain(text.replace(CATEGORY, ""))]);
    const named = (this.plan?.seats ?? []).filter((seat) =>
      printed.has(plain(`${seat.zone} ${seat.row} ${seat.number}`)),
    );
    for (const seat of named.length ? named : (this.plan?.seats ?? [])) {
      if (!named.length && !words.every((word) => fits(seat, word))) continue;
      total += 1;
      if (found.length < MOST) found.push(this.#described(seat));
    }
    return { found, total };
  }

  /** @param {number} ordinal */
  nameOf(ordinal) {
    const seat = this.plan?.seats[ordinal];
    return seat ? seatName(seat) : `#${ordinal}`;
  }

  /**
   * @param {Api.PlanSeat} seat
   * @returns {Console.FoundSeat}
   */
  #described(seat) {
    return { ...seat, name: seatName(seat), state: STATES[this.states[seat.ordinal]] };
  }
}

/** E-mails name a seat's category behind it. */
const CATEGORY = /\([^()]*\)\s*$/;
/** What pages, tickets and e-mails say besides the seat's own words, in each language (`seat.full`, `mail.row`, ...). */
const BETWEEN = new Set(["row", "seat", "열", "번", "번호"]);
const HANGING = /(?<=.)(열|번)$/;

/**
 * The words of a seat's name and nothing else: "Block D, row 12, seat 10", "Block D · row 12 · seat 10" and
 * "Block D 12열 10번" are one.
 * @param {string} name
 */
const plain = (name) =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .split(/[\s,·-]+/)
    .map((word) => word.replace(HANGING, ""))
    .filter((word) => word && !BETWEEN.has(word))
    .join(" ");

/**
 * @param {Api.PlanSeat} seat
 * @param {string} word
 */
function fits(seat, word) {
  if (word.startsWith("#")) return String(seat.ordinal) === word.slice(1);
  const row = seat.row.toLowerCase();
  const number = seat.number.toLowerCase();
  if (`${row}-${number}` === word || row === word || number === word) return true;
  return word.length > 1 && !/^\d+$/.test(word) && `${seat.zone} ${seat.category}`.toLowerCase().includes(word);
}

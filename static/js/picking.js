// What a buyer asks for in the hall, as commands: seats that were chosen, the best ones of a wish, more time; and what is
// told when they cannot be had.
import { announce } from "./announce.js";
import { bestSeats } from "./best_seats.js";
import { AVAILABLE } from "./board.js";
import { counted, reason, t } from "./i18n.js";
import { mayHold } from "./outage.js";
import { lookOf } from "./seat_list/seat_list.js";
import { note, toast } from "./toast.js";
import { noneOf, why } from "./views/wish.js";
import { share, wishOf } from "./wish.js";

const BEST_TRIES = 3; // when others are quicker

/**
 * What Picking knows of the hall: the visitor's own seats, those that are asked for, and what is drawn.
 * @typedef {{own: Set<number>, asked: Set<number>, drawn: {plan: Sale.Plan, map: import("./seat_map/seat_map.js").SeatMap} | null}} Known
 */

export class Picking {
  /**
   * @param {Known} hall
   * @param {object} parts
   * @param {import("./board.js").Board} parts.board
   * @param {Sale.Store} parts.store
   * @param {{send(message: Wire.Command): boolean}} parts.channel
   * @param {() => string} parts.newId an id for a request
   */
  constructor(hall, { board, store, channel, newId }) {
    this.hall = hall;
    this.board = board;
    this.store = store;
    this.channel = channel;
    this.newId = newId;
    this.finding = ""; // request id of the best seats that are asked for
    /** @type {Map<string, (taken: number[]) => void>} */
    this.again = new Map(); // request id -> what to try when its seats were taken
    this.actions = {
      /** @param {number} ordinal */
      pick: (ordinal) => this.pick(ordinal),
      /** @param {number[]} seats */
      release: (seats) => this.release(seats),
      extend: () => void this.#command("extend", []),
      /** @param {number} count */
      best: (count) => this.#best(count),
      /** @param {Sale.Way} way */
      take: (way) => {
        if (this.#off()) return;
        if ("wish" in way) this.#find(way.wish);
        else this.#command("hold", way.seats);
      },
    };
  }

  /** @param {number} ordinal */
  pick(ordinal) {
    const { state } = this.store;
    const { own, asked } = this.hall;
    if (own.has(ordinal)) {
      this.release([ordinal]);
      return;
    }
    if (asked.has(ordinal)) return;
    if (this.board.states[ordinal] !== AVAILABLE) {
      this.#tell(ordinal, t(`refused.${lookOf(ordinal, this.board, own, asked)}`));
      return;
    }
    if (state.event) {
      const { most, bought, left } = share({ ...state, event: state.event });
      if (asked.size >= left) {
        const spent = bought ? [counted("share.bought", most, { bought })] : [];
        this.#tell(ordinal, [counted("refused.too_many", most), ...spent].join(". "));
        return;
      }
    }
    this.#command("hold", [ordinal], ordinal);
  }

  /** @param {number[]} seats */
  release(seats) {
    this.#command("release", seats);
  }

  /**
   * The basket or what is under way has changed: the best seats are there, or they are not.
   * @param {Sale.State} before
   * @param {Sale.State} state
   */
  follow(before, state) {
    if (!this.finding || this.finding in state.pending) return;
    const found = state.basket.seats.filter((seat) => !before.basket.seats.includes(seat));
    if (found.length) this.hall.drawn?.map.showSeat(found[found.length >> 1]);
    this.finding = "";
  }

  /** @param {Sale.Refused} refusal */
  refused({ id, code, seats: named }) {
    const { drawn } = this.hall;
    const { instead } = this.store.state;
    const again = this.again.get(id);
    this.again.clear();
    if (again && code === "seat_taken") {
      again(named);
      return;
    }
    // A seat that would be left alone is told where the buyer has pressed.
    const seats = instead?.code === "leaves_single_seat" ? instead.seats : named;
    const text =
      instead && drawn ? words(instead, drawn.plan) : code === "seat_taken" ? t("refused.taken") : reason(code);
    announce(text, { urgent: true });
    if (seats.length) drawn?.map.refuse(seats[0], text);
    if (!instead && (this.store.state.ui.mode === "list" || !seats.length)) toast(this.store, text);
  }

  /** @param {number} count */
  #best(count) {
    const { event, ui } = this.store.state;
    const { drawn } = this.hall;
    if (!drawn || !event || this.#off()) return;
    if ((ui.filter?.size ?? 0) > 1 && !ui.wish.accessible) this.#bestOfSeveral(count);
    else this.#find(wishOf({ ...this.store.state, event }, drawn.plan, count));
  }

  /**
   * The server finds the seats of a wish and holds them in one step, in however many groups.
   * @param {Sale.Wish} wish
   */
  #find(wish) {
    const id = this.newId();
    if (!this.channel.send({ type: "best", id, ...wish })) {
      note(this.store, t("refused.offline"));
      return;
    }
    this.finding = id;
    this.store.dispatch({ type: "sent", id, kind: "best", seats: [], wish });
  }

  /**
   * Of several categories, which a wish cannot name: picked here. When somebody was quicker the next best places are
   * asked for, a few times.
   * @param {number} count
   * @param {Set<number>} gone
   */
  #bestOfSeveral(count, gone = new Set(), tried = 0) {
    const { drawn } = this.hall;
    if (!drawn) return;
    const seats = bestSeats(drawn.plan, this.board.states, count, this.store.state.ui.filter, gone);
    if (seats === null) {
      note(this.store, noneOf(count));
      return;
    }
    const id = this.#command("hold", seats);
    if (id === null) return;
    if (tried < BEST_TRIES)
      this.again.set(id, (taken) => this.#bestOfSeveral(count, new Set([...gone, ...taken]), tried + 1));
    drawn.map.showSeat(seats[seats.length >> 1]);
  }

  /**
   * Asks the server; answers the request's id, or null when nobody could be asked.
   * @param {Exclude<Sale.RequestKind, "best">} type
   * @param {number[]} seats
   * @param {number | undefined} at the seat beside which is told what went wrong
   */
  #command(type, seats, at = seats[0]) {
    if (this.#off()) return null;
    const id = this.newId();
    if (!this.channel.send(type === "extend" ? { type, id } : { type, id, seats })) {
      if (at === undefined) note(this.store, t("refused.offline"));
      else this.#tell(at, t("refused.offline"));
      return null;
    }
    this.store.dispatch({ type: "sent", id, kind: type, seats });
    return id;
  }

  /** True, and said, while seats can neither be held nor let go. */
  #off() {
    if (mayHold(this.store.state)) return false;
    note(this.store, t("outage.no_hold"));
    return true;
  }

  /**
   * Beside the seat, where there is a map to tell it in.
   * @param {number} ordinal
   * @param {string} text
   */
  #tell(ordinal, text) {
    announce(text, { urgent: true });
    this.hall.drawn?.map.refuse(ordinal, text);
    if (this.store.state.ui.mode === "list") toast(this.store, text);
  }
}

/**
 * @param {Sale.Instead} instead
 * @param {Sale.Plan} plan
 */
function words(instead, plan) {
  const fine = instead.code === "leaves_single_seat" ? t("instead.fine") : "";
  return [why(instead, plan), fine].filter(Boolean).join(". ");
}

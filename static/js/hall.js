// Plan, map and list of the sale page: loads the plan when it is needed, keeps both drawings in step with board and
// basket, and turns a chosen seat into commands.
import { announce } from "./announce.js";
import { bestSeats } from "./best_seats.js";
import { AVAILABLE, BLOCKED } from "./board.js";
import { deadline, isUrgent, moreTimeAdds } from "./deadline.js";
import { counted, money, reason, t } from "./i18n.js";
import { mayHold } from "./outage.js";
import { SeatList, lookOf } from "./seat_list/seat_list.js";
import { swatchStyle } from "./seat_map/colors.js";
import { SeatMap } from "./seat_map/seat_map.js";
import { EMPTY_BASKET, pendingSeats, stage } from "./state.js";
import { seatName } from "./seat_words.js";
import { sectionWords } from "./section_words.js";
import { why } from "./views/wish.js";
import { share, wishOf } from "./wish.js";

const BEST_TRIES = 3; // when others are quicker
const TOAST = 4000; // milliseconds
// Who asks for a place may be let in at once: the plan is on its way meanwhile.
const DRAWS = new Set(["joining", "map", "checkout", "paying", "confirmed"]);
const GONE = new Set([AVAILABLE, BLOCKED]);
const LOST_AFTER = 1000; // milliseconds
const LIST_EVERY = 250; // milliseconds between two drawings of list and counts while the crowd picks

export class Hall {
  /**
   * @param {object} parts
   * @param {(version: string) => Promise<Sale.Plan>} parts.load the plan
   * @param {import("./board.js").Board} parts.board
   * @param {Sale.Store} parts.store
   * @param {{send(message: Wire.Command): boolean}} parts.channel
   * @param {() => string} parts.newId an id for a request
   */
  constructor({ load, board, store, channel, newId }) {
    this.load = load;
    this.board = board;
    this.store = store;
    this.channel = channel;
    this.newId = newId;
    /** @type {{plan: Sale.Plan, map: SeatMap, list: SeatList} | null} */
    this.drawn = null; // when the plan is there
    /** @type {Promise<unknown> | null} */
    this.loading = null;
    this.finding = ""; // request id of the best seats that are asked for
    /** @type {Map<string, (taken: number[]) => void>} */
    this.again = new Map(); // request id -> what to try when its seats were taken
    /** @type {Set<number>} */
    this.own = new Set();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {number[]} */
    this.free = [];
    /** @type {Map<string, string>} */
    this.swatches = new Map();
    this.redraw = () => {};
    /** The list shows another zone or row, by index. @type {(zone: number | null, row: number | null) => void} */
    this.went = () => {};
    /** The zone and the row that the list begins with. @type {[number | null, number | null]} */
    this.begins = [null, null];
    this.later = 0;
    this.actions = {
      /** @param {number} ordinal */
      pick: (ordinal) => this.pick(ordinal),
      /** @param {number[]} seats */
      release: (seats) => void this.#command("release", seats),
      extend: () => void this.#command("extend", []),
      /** @param {number} count */
      best: (count) => this.#best(count),
      /** @param {Sale.Way} way */
      take: (way) => {
        if (this.#off()) return;
        if ("wish" in way) this.#find(way.wish);
        else this.#command("hold", way.seats);
      },
      /** @param {Partial<Sale.Ui["wish"]>} wish */
      wish: (wish) => store.dispatch({ type: "wish", wish }),
      /** @param {number | null} category */
      only: (category) => store.dispatch({ type: "only", category }),
      others: () => store.dispatch({ type: "others" }),
      /** @param {number} category */
      filter: (category) => store.dispatch({ type: "filter", category }),
      /** @param {Sale.Mode} mode */
      mode: (mode) => store.dispatch({ type: "mode", mode }),
      sheet: () => store.dispatch({ type: "sheet" }),
    };
  }

  /** Loads the plan once; again after a failure, when it is asked for again. */
  need() {
    const version = this.store.state.event?.plan_version;
    if (version === undefined) return;
    this.loading ??= this.load(version).then(
      (plan) => this.#build(plan),
      () =>
        setTimeout(() => {
          this.loading = null;
          this.need();
        }, 2000),
    );
  }

  /** @param {number[] | null} changed null: all seats may have */
  boardCame(changed) {
    if (!this.drawn) return;
    this.drawn.map.changed(changed);
    this.#countSoon();
  }

  /** @param {number[]} ordinals */
  seatsChanged(ordinals) {
    if (!this.drawn) return;
    this.drawn.map.changed(ordinals);
    this.#countSoon();
    const letting = pendingSeats(this.store.state, "release");
    this.#lost(
      ordinals.filter(
        (ordinal) => this.own.has(ordinal) && GONE.has(this.board.states[ordinal]) && !letting.has(ordinal),
      ),
    );
  }

  /**
   * A seat of ours came free or was blocked, and it was not us: an operator, or another tab. When no news of the basket
   * follows, the answer to letting it go says what is left.
   * @param {number[]} seats
   */
  #lost(seats) {
    if (!seats.length) return;
    setTimeout(() => {
      const still = seats.filter((ordinal) => this.own.has(ordinal));
      if (still.length) this.#command("release", still);
    }, LOST_AFTER);
  }

  /**
   * What changed in the state and concerns seats.
   * @param {Sale.State} before
   * @param {Sale.State} state
   */
  follow(before, state) {
    if (DRAWS.has(stage(state))) this.need();
    if (state.basket !== before.basket || state.pending !== before.pending) {
      this.own = new Set(state.basket.seats);
      this.asked = pendingSeats(state, "hold");
      if (this.finding && !(this.finding in state.pending)) {
        const found = state.basket.seats.filter((seat) => !before.basket.seats.includes(seat));
        if (found.length) this.drawn?.map.showSeat(found[found.length >> 1]);
        this.finding = "";
      }
      if (this.drawn) {
        this.drawn.map.setMine(this.own, this.asked);
        this.drawn.list.update();
        this.#say(this.drawn.plan, before, state);
      }
    }
    if (this.drawn && state.ui.filter !== before.ui.filter) {
      this.drawn.map.setFilter(state.ui.filter);
      this.drawn.list.update();
    }
    if (state.refusal && state.refusal !== before.refusal) this.#refused(state.refusal);
    if (state.basketExpired && !before.basketExpired) announce(t("basket.expired"), { urgent: true });
    this.#warn(before, state);
  }

  /** What is drawn as `mode` is seen from now on. @param {Sale.Mode} mode @param {boolean} focus it was asked for */
  seen(mode, focus) {
    if (!this.drawn) return;
    const { map, list } = this.drawn;
    if (mode === "map") map.show();
    if (mode === "list" && focus) list.focus();
    else list.update();
  }

  /** @param {number} ordinal */
  pick(ordinal) {
    const { state } = this.store;
    if (this.own.has(ordinal)) {
      this.#command("release", [ordinal]);
      return;
    }
    if (this.asked.has(ordinal)) return;
    if (this.board.states[ordinal] !== AVAILABLE) {
      this.#tell(ordinal, t(`refused.${lookOf(ordinal, this.board, this.own, this.asked)}`));
      return;
    }
    if (state.event) {
      const { most, bought, left } = share({ ...state, event: state.event });
      if (this.asked.size >= left) {
        const text = bought ? counted("share.bought", most, { bought }) : counted("refused.too_many", most);
        this.#tell(ordinal, text);
        return;
      }
    }
    this.#command("hold", [ordinal], ordinal);
  }

  /** @param {number} count */
  #best(count) {
    const { event, ui } = this.store.state;
    if (!this.drawn || !event || this.#off()) return;
    if ((ui.filter?.size ?? 0) > 1 && !ui.wish.accessible) this.#bestOfSeveral(count);
    else this.#find(wishOf({ ...this.store.state, event }, this.drawn.plan, count));
  }

  /**
   * The server finds the seats of a wish and holds them in one step, in however many groups.
   * @param {Sale.Wish} wish
   */
  #find(wish) {
    const id = this.newId();
    if (!this.channel.send({ type: "best", id, ...wish })) {
      this.#note(t("refused.offline"));
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
    if (!this.drawn) return;
    const { plan, map } = this.drawn;
    const seats = bestSeats(plan, this.board.states, count, this.store.state.ui.filter, gone);
    if (seats === null) {
      this.#note(counted("best.none", count));
      return;
    }
    const id = this.#command("hold", seats);
    if (id === null) return;
    if (tried < BEST_TRIES)
      this.again.set(id, (taken) => this.#bestOfSeveral(count, new Set([...gone, ...taken]), tried + 1));
    map.showSeat(seats[seats.length >> 1]);
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
      if (at === undefined) this.#note(t("refused.offline"));
      else this.#tell(at, t("refused.offline"));
      return null;
    }
    this.store.dispatch({ type: "sent", id, kind: type, seats });
    return id;
  }

  /** True, and said, while seats can neither be held nor let go. */
  #off() {
    if (mayHold(this.store.state)) return false;
    this.#note(t("outage.no_hold"));
    return true;
  }

  /** @param {Sale.Plan} plan */
  #build(plan) {
    const { store } = this;
    // A plan is only asked for once the event is known.
    const currency = () => /** @type {Api.EventDetails} */ (store.state.event).currency;
    const section = sectionWords(plan, currency);
    const map = new SeatMap({
      plan,
      board: this.board,
      onPick: (ordinal) => this.pick(ordinal),
      onOpen: (zone) => {
        list.show(zone.index, null);
        store.dispatch({ type: "mode", mode: "list" });
        this.went(zone.index, null);
      },
      words: {
        label: t("map.label"),
        sections: t("map.sections"),
        zoomIn: t("map.zoom_in"),
        zoomOut: t("map.zoom_out"),
        whole: t("map.whole"),
        section,
        said: (one) => {
          const { name, from, free } = section(one);
          return [name, from, free].filter(Boolean).join(", ");
        },
        hint: (ordinal) => {
          const seat = plan.seat(ordinal);
          const look = lookOf(ordinal, this.board, this.own, this.asked);
          const more = [[plan.marks[plan.category[ordinal]], seat.category].filter(Boolean).join(" ")];
          if (seat.price !== null) more.push(money(seat.price, currency()));
          if (seat.accessible) more.push(t("seat.accessible"));
          return [seatName(seat), more.join(" · "), t(`state.${look}`)];
        },
      },
    });
    const list = new SeatList({
      plan,
      board: this.board,
      model: () => ({ own: this.own, asked: this.asked, filter: store.state.ui.filter, currency: currency() }),
      onPick: (ordinal) => this.pick(ordinal),
      onGo: (zone, row) => this.went(zone, row),
    });
    list.begin(...this.begins);
    this.drawn = { plan, map, list };
    map.setMine(this.own, this.asked);
    map.setFilter(store.state.ui.filter);
    if (this.board.ready) map.changed(null);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
      matchMedia(query).addEventListener("change", () => this.#recolour(plan));
    this.#recolour(plan);
    this.#count();
  }

  /** @param {Sale.Plan} plan */
  #recolour(plan) {
    this.swatches = new Map(
      plan.categories.map(({ name, color }) => [name, swatchStyle(color, document.documentElement)]),
    );
    this.redraw();
  }

  #countSoon() {
    this.later ||= setTimeout(() => this.#count(), LIST_EVERY);
  }

  #count() {
    this.later = 0;
    if (!this.drawn) return;
    const { plan, list } = this.drawn;
    /** @type {number[]} */
    const free = new Array(plan.categories.length).fill(0);
    const { states } = this.board;
    for (let i = 0; i < states.length; i += 1) if (states[i] === AVAILABLE) free[plan.category[i]] += 1;
    this.free = free;
    list.update();
    this.redraw();
  }

  /** @param {Sale.Refused} refusal */
  #refused({ id, code, seats: named }) {
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
      instead && this.drawn
        ? words(instead, this.drawn.plan)
        : code === "seat_taken"
          ? t("refused.taken")
          : reason(code);
    announce(text, { urgent: true });
    if (seats.length) this.drawn?.map.refuse(seats[0], text);
    if (!instead && (this.store.state.ui.mode === "list" || !seats.length)) this.#toast(text);
  }

  /** @param {string} text */
  #note(text) {
    announce(text, { urgent: true });
    this.#toast(text);
  }

  /**
   * Beside the seat, where there is a map to tell it in.
   * @param {number} ordinal
   * @param {string} text
   */
  #tell(ordinal, text) {
    announce(text, { urgent: true });
    this.drawn?.map.refuse(ordinal, text);
    if (this.store.state.ui.mode === "list") this.#toast(text);
  }

  /** @param {string} text */
  #toast(text) {
    const { store } = this;
    store.dispatch({ type: "toast", text });
    const { count } = store.state.ui.toast ?? { count: 0 };
    setTimeout(() => store.dispatch({ type: "untoast", count }), TOAST);
  }

  /**
   * @param {Sale.Plan} plan
   * @param {Sale.State} before
   * @param {Sale.State} state
   */
  #say(plan, before, state) {
    const old = new Set(before.basket.seats);
    const added = state.basket.seats.filter((ordinal) => !old.has(ordinal));
    const gone = before.basket.seats.filter((ordinal) => !this.own.has(ordinal));
    if (added.length && state.event) {
      const names = added.map((ordinal) => seatName(plan.seat(ordinal))).join("; ");
      const total = money(plan.total(state.basket.seats), state.event.currency);
      announce(`${t("said.held", { seats: names })} ${counted("said.total", state.basket.seats.length, { total })}`);
    } else if (gone.length && state.basket !== EMPTY_BASKET) {
      announce(t("said.released", { seats: gone.map((ordinal) => seatName(plan.seat(ordinal))).join("; ") }));
    }
  }

  /**
   * @param {Sale.State} before
   * @param {Sale.State} state
   */
  #warn(before, state) {
    const end = deadline(state);
    if (!end || !isUrgent(state, end) || isUrgent(before, end)) return;
    if (end.of === "turn") announce(t("session.warning_said"), { urgent: true });
    else announce(t(moreTimeAdds(state) ? "basket.soon_over" : "basket.soon_over_last"), { urgent: true });
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

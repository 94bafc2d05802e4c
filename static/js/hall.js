// Plan, map and list of the sale page: loads the plan when it is needed, keeps both drawings in step with board and
// basket, and turns a chosen seat into commands.
import { announce } from "./announce.js";
import { bestSeats } from "./best_seats.js";
import { AVAILABLE, BLOCKED } from "./board.js";
import { counted, money, reason, t } from "./i18n.js";
import { Plan } from "./plan.js";
import { SeatList, lookOf } from "./seat_list/seat_list.js";
import { swatch } from "./seat_map/colors.js";
import { SeatMap } from "./seat_map/seat_map.js";
import { EMPTY_BASKET, pendingSeats, stage } from "./state.js";
import { seatName } from "./views/parts.js";

const BEST_TRIES = 3; // when others are quicker
const TOAST = 4000; // milliseconds
const GONE = new Set([AVAILABLE, BLOCKED]);
const LOST_AFTER = 1000; // milliseconds
const LIST_EVERY = 250; // milliseconds between two drawings of list and counts while the crowd picks

export class Hall {
  constructor({ api, board, store, ui, channel, newId }) {
    this.api = api;
    this.board = board;
    this.store = store;
    this.ui = ui;
    this.channel = channel;
    this.newId = newId;
    this.plan = null;
    this.loading = null;
    this.again = new Map(); // request id -> what to try when its seats were taken
    this.own = new Set();
    this.asked = new Set();
    this.free = [];
    this.swatches = new Map();
    this.redraw = () => {};
    this.later = null;
    this.actions = {
      pick: (ordinal) => this.pick(ordinal),
      release: (seats) => this.#command("release", seats),
      extend: () => this.#command("extend", []),
      best: (count) => this.#best(count),
      filter: (category) => this.#filter(category),
      mode: (mode) => this.#mode(mode),
      sheet: () => this.#sheet(),
    };
  }

  /** Loads the plan once; again after a failure, when it is asked for again. */
  need() {
    this.loading ??= this.api.plan().then(
      ({ body }) => this.#build(body),
      () =>
        setTimeout(() => {
          this.loading = null;
          this.need();
        }, 2000),
    );
  }

  boardCame(changed) {
    if (!this.plan) return;
    this.map.changed(changed);
    this.#countSoon();
  }

  seatsChanged(ordinals) {
    if (!this.plan) return;
    this.map.changed(ordinals);
    this.#countSoon();
    const letting = pendingSeats(this.store.state, "release");
    this.#lost(
      ordinals.filter(
        (ordinal) => this.own.has(ordinal) && GONE.has(this.board.states[ordinal]) && !letting.has(ordinal),
      ),
    );
  }

  // A seat of ours came free or was blocked, and it was not us: an operator, or another tab. When no news of the basket
  // follows, the answer to letting it go says what is left.
  #lost(seats) {
    if (!seats.length) return;
    setTimeout(() => {
      const still = seats.filter((ordinal) => this.own.has(ordinal));
      if (still.length) this.#command("release", still);
    }, LOST_AFTER);
  }

  /** What changed in the state and concerns seats. */
  follow(before, state) {
    if (["map", "checkout", "paying", "confirmed"].includes(stage(state))) this.need();
    if (state.basket !== before.basket || state.pending !== before.pending) {
      this.own = new Set(state.basket.seats);
      this.asked = pendingSeats(state, "hold");
      if (this.plan) {
        this.map.setMine(this.own, this.asked);
        this.list.update();
        this.#say(before, state);
      }
    }
    if (state.refusal && state.refusal !== before.refusal) this.#refused(state.refusal);
    if (state.basketExpired && !before.basketExpired) announce(t("basket.expired"), { urgent: true });
    this.#warn(before, state);
  }

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
    if (this.own.size + this.asked.size >= state.event.max_seats) {
      this.#tell(ordinal, counted("refused.too_many", state.event.max_seats));
      return;
    }
    this.#command("hold", [ordinal], ordinal);
  }

  // All or nothing on the server; when somebody was quicker the next best places are asked for, a few times.
  #best(count, gone = new Set(), tried = 0) {
    const seats = bestSeats(this.plan, this.board.states, count, this.ui.filter, gone);
    if (seats === null) {
      this.#note(counted("best.none", count));
      return;
    }
    const id = this.#command("hold", seats);
    if (id === null) return;
    if (tried < BEST_TRIES) this.again.set(id, (taken) => this.#best(count, new Set([...gone, ...taken]), tried + 1));
    this.map.showSeat(seats[seats.length >> 1]);
  }

  #command(type, seats, at = seats[0]) {
    const id = this.newId();
    if (!this.channel.send({ type, id, ...(type === "extend" ? {} : { seats }) })) {
      if (at === undefined) announce(t("refused.offline"), { urgent: true });
      else this.#tell(at, t("refused.offline"));
      return null;
    }
    this.store.dispatch({ type: "sent", id, kind: type, seats });
    return id;
  }

  #build(body) {
    const plan = new Plan(body);
    const currency = () => this.store.state.event.currency;
    this.map = new SeatMap({
      plan,
      board: this.board,
      onPick: (ordinal) => this.pick(ordinal),
      words: {
        label: t("map.label"),
        zoomIn: t("map.zoom_in"),
        zoomOut: t("map.zoom_out"),
        whole: t("map.whole"),
        zone: (zone, free) => ({ name: zone.name || t("list.hall"), free: counted("seats.free", free) }),
        hint: (ordinal) => {
          const seat = this.plan.seat(ordinal);
          const look = lookOf(ordinal, this.board, this.own, this.asked);
          const more = [seat.category, money(seat.price, currency())];
          if (seat.accessible) more.push(t("seat.accessible"));
          return [seatName(seat), more.join(" · "), t(`state.${look}`)];
        },
      },
    });
    this.list = new SeatList({
      plan,
      board: this.board,
      model: () => ({ own: this.own, asked: this.asked, filter: this.ui.filter, currency: currency() }),
      onPick: (ordinal) => this.pick(ordinal),
    });
    this.plan = plan;
    this.map.setMine(this.own, this.asked);
    if (this.board.ready) this.map.changed(null);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    this.#recolour();
    this.#count();
  }

  #recolour() {
    this.swatches = new Map(
      this.plan.categories.map(({ name, color }) => [name, swatch(color, document.documentElement)]),
    );
    this.redraw();
  }

  #countSoon() {
    this.later ??= setTimeout(() => this.#count(), LIST_EVERY);
  }

  #count() {
    this.later = null;
    const free = new Array(this.plan.categories.length).fill(0);
    const { states } = this.board;
    for (let i = 0; i < states.length; i += 1) if (states[i] === AVAILABLE) free[this.plan.category[i]] += 1;
    this.free = free;
    this.list.update();
    this.redraw();
  }

  #filter(category) {
    const filter = new Set(this.ui.filter ?? []);
    if (!filter.delete(category)) filter.add(category);
    this.ui.filter = filter.size ? filter : null;
    this.map.setFilter(this.ui.filter);
    this.list.update();
    this.redraw();
  }

  #mode(mode) {
    this.ui.mode = mode;
    this.redraw();
    if (mode === "list") this.list.focus();
    else this.map.show();
  }

  #sheet() {
    this.ui.sheet = !this.ui.sheet;
    this.redraw();
  }

  #refused({ id, code, seats }) {
    const again = this.again.get(id);
    this.again.clear();
    if (again && code === "seat_taken") {
      again(seats);
      return;
    }
    const text = code === "seat_taken" ? t("refused.taken") : reason(code);
    announce(text, { urgent: true });
    if (this.plan && seats.length) this.map.refuse(seats[0], text);
    if (this.ui.mode === "list" || !seats.length) this.ui.toast = { text, until: Date.now() + TOAST };
  }

  #note(text) {
    announce(text, { urgent: true });
    this.ui.toast = { text, until: Date.now() + TOAST };
    this.redraw();
  }

  #tell(ordinal, text) {
    announce(text, { urgent: true });
    this.map?.refuse(ordinal, text);
    if (this.ui.mode === "list") this.ui.toast = { text, until: Date.now() + TOAST };
    this.redraw();
  }

  #say(before, state) {
    const old = new Set(before.basket.seats);
    const added = state.basket.seats.filter((ordinal) => !old.has(ordinal));
    const gone = before.basket.seats.filter((ordinal) => !this.own.has(ordinal));
    if (added.length) {
      const names = added.map((ordinal) => seatName(this.plan.seat(ordinal))).join("; ");
      const total = money(this.plan.total(state.basket.seats), state.event.currency);
      announce(`${t("said.held", { seats: names })} ${counted("said.total", state.basket.seats.length, { total })}`);
    } else if (gone.length && state.basket !== EMPTY_BASKET) {
      announce(t("said.released", { seats: gone.map((ordinal) => seatName(this.plan.seat(ordinal))).join("; ") }));
    }
  }

  #warn(before, state) {
    const crossed = (moment, seconds) => {
      if (!moment) return false;
      const left = (at) => (moment - (at.local + at.offset)) / 1000;
      return left(before) > seconds && left(state) <= seconds;
    };
    if (state.basket.seats.length && crossed(state.basket.until, 60)) {
      announce(t(state.basket.extensionsLeft > 0 ? "basket.soon_over" : "basket.soon_over_last"), { urgent: true });
    }
    if (state.session && crossed(state.session.until, state.session.warningSeconds)) {
      announce(t("session.warning_said"), { urgent: true });
    }
  }
}

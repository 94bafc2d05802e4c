// Plan, map and list of the sale page: loads the plan when it is needed, and keeps both drawings in step with board and
// basket. What is picked becomes commands in picking.js.
import { AVAILABLE, BLOCKED } from "./board.js";
import { saySeats, sayTime } from "./hall_said.js";
import { money, t } from "./i18n.js";
import { Picking } from "./picking.js";
import { SeatList, lookOf } from "./seat_list/seat_list.js";
import { swatchStyle } from "./seat_map/colors.js";
import { SeatMap } from "./seat_map/seat_map.js";
import { pendingSeats, stage } from "./state.js";
import { seatName } from "./seat_words.js";
import { sectionWords } from "./section_words.js";

// Who asks for a place may be let in at once: the plan is on its way meanwhile.
const DRAWS = new Set(["joining", "map", "checkout", "paying", "confirmed"]);
const GONE = new Set([AVAILABLE, BLOCKED]);
const AGAIN_AFTER = 2000; // milliseconds
const LOST_AFTER = 1000; // milliseconds
const LIST_EVERY = 250; // milliseconds between two drawings of list and counts while the crowd picks

/** Lets the browser draw, and hear what was pressed. @returns {Promise<void>} */
const pause = () => new Promise((resolve) => setTimeout(resolve));

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
    /** @type {{plan: Sale.Plan, map: SeatMap, list: SeatList} | null} */
    this.drawn = null; // when the plan is there
    /** @type {Promise<unknown> | null} */
    this.loading = null;
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
    /** The map shows a section, or the whole hall. @type {(zone: number | null) => void} */
    this.zoomed = () => {};
    /** The section that the map begins with, by index. @type {number | null} */
    this.section = null;
    /** The zone and the row that the list begins with. @type {[number | null, number | null]} */
    this.begins = [null, null];
    /** @type {(() => void) | null} */
    this.later = null; // the next count
    this.picking = new Picking(this, { board, store, channel, newId });
    this.actions = {
      ...this.picking.actions,
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

  /** Fingers move the map. */
  get moves() {
    return this.drawn !== null && this.drawn.map.rest.left > 0;
  }

  /** Loads the plan once; again after a failure, when it is asked for again. */
  need() {
    const version = this.store.state.event?.plan_version;
    if (version === undefined) return;
    this.loading ??= this.load(version)
      .then((plan) => this.#build(plan))
      .catch((error) => {
        if (this.drawn) throw error; // seen, and not to be built twice
        setTimeout(() => {
          this.loading = null;
          this.need();
        }, AGAIN_AFTER);
      });
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
      if (still.length) this.picking.release(still);
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
      this.picking.follow(before, state);
      if (this.drawn) {
        this.drawn.map.setMine(this.own, this.asked);
        this.#list();
        saySeats(this.drawn.plan, before, state);
      }
    }
    if (this.drawn && state.ui.filter !== before.ui.filter) {
      this.drawn.map.setFilter(state.ui.filter);
      this.#list();
    }
    if (state.refusal && state.refusal !== before.refusal) this.picking.refused(state.refusal);
    sayTime(before, state);
  }

  /** What is drawn as `mode` is seen from now on. @param {Sale.Mode} mode @param {boolean} focus it was asked for */
  seen(mode, focus) {
    if (!this.drawn) return;
    const { map, list } = this.drawn;
    if (mode === "map") {
      map.show();
      if (this.section !== null) map.goToSection(this.section);
      this.section = null;
    } else if (focus) list.focus();
    else list.update();
  }

  /**
   * In pieces: all of it at once would keep a phone from hearing a finger.
   * @param {Sale.Plan} plan
   */
  async #build(plan) {
    const { store } = this;
    await pause();
    // A plan is only asked for once the event is known.
    const currency = () => /** @type {Api.EventDetails} */ (store.state.event).currency;
    const section = sectionWords(plan, currency);
    const map = new SeatMap({
      plan,
      board: this.board,
      onPick: (ordinal) => this.picking.pick(ordinal),
      onZoom: (zone) => this.zoomed(zone),
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
    await pause();
    const list = new SeatList({
      plan,
      board: this.board,
      model: () => ({ own: this.own, asked: this.asked, filter: store.state.ui.filter, currency: currency() }),
      onPick: (ordinal) => this.picking.pick(ordinal),
      onGo: (zone, row) => this.went(zone, row),
    });
    list.begin(...this.begins);
    this.#recolour(plan);
    await pause();
    // To make the first format of a currency takes a phone a tenth of a second, which is had while the board is coming.
    for (const { price } of plan.categories) if (price !== null) money(price, currency());
    await pause();
    this.drawn = { plan, map, list };
    map.setMine(this.own, this.asked);
    map.setFilter(store.state.ui.filter);
    if (this.board.ready) map.changed(null);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
      matchMedia(query).addEventListener("change", () => {
        this.#recolour(plan);
        this.redraw();
      });
    this.#count();
  }

  /** @param {Sale.Plan} plan */
  #recolour(plan) {
    this.swatches = new Map(
      plan.categories.map(({ name, color }) => [name, swatchStyle(color, document.documentElement)]),
    );
  }

  /** The list follows while it is seen; when it comes into sight it is drawn anew (`seen`). */
  #list() {
    if (this.store.state.ui.mode === "list") this.drawn?.list.update();
  }

  /** The crowd's seats are counted between two movements of the map. */
  #countSoon() {
    this.later ??= this.drawn?.map.rest.later(() => this.#count(), LIST_EVERY) ?? null;
  }

  #count() {
    this.later = null;
    if (!this.drawn) return;
    const { plan } = this.drawn;
    /** @type {number[]} */
    const free = new Array(plan.categories.length).fill(0);
    const { states } = this.board;
    for (let i = 0; i < states.length; i += 1) if (states[i] === AVAILABLE) free[plan.category[i]] += 1;
    this.free = free;
    this.#list();
    this.redraw();
  }
}

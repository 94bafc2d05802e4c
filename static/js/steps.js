// Map, section, list and payment form are steps of the browser's history: Back goes one step, a reload stays where one was.

/**
 * What is kept of a step: `list` is the zone and the row that the list shows, `section` the zone that the map shows, by
 * index; `opened`: the entry was made for its section, so that the one before it shows the hall or what was shown then.
 * @typedef {{step?: "map" | "checkout", mode?: Sale.Mode, list?: [number | null, number | null], section?: number | null, opened?: boolean}} Kept
 */

export class Steps {
  /**
   * `onList` shows a zone and a row of the list, `onSection` a zone on the map, or the whole hall.
   * @param {{store: Sale.Store, onList: (zone: number | null, row: number | null) => void, onSection?: (zone: number | null) => void, history?: Pick<History, "state" | "pushState" | "replaceState" | "back">}} parts
   */
  constructor({ store, onList, onSection = () => {}, history = globalThis.history }) {
    this.store = store;
    this.onList = onList;
    this.onSection = onSection;
    this.history = history;
    this.section = this.#kept.section ?? null; // that is shown
    // The page was loaded again in the form: it is shown once the server has told the basket.
    this.wanted = this.#step === "checkout";
    if (this.#kept.mode === "list") store.dispatch({ type: "mode", mode: "list" });
    addEventListener("popstate", () => this.#came());
  }

  /** @returns {Kept} */
  get #kept() {
    return this.history.state ?? {};
  }

  /** The zone and the row of the list that this step of the history had. */
  get listed() {
    /** @type {[number | null, number | null]} */
    const whole = [null, null];
    return this.#kept.list ?? whole;
  }

  get #step() {
    return this.#kept.step ?? "map";
  }

  /**
   * Told of each change of the state.
   * @param {Sale.State} before
   * @param {Sale.State} state
   */
  follow(before, state) {
    if (this.wanted && state.presence === "active" && !state.basketUnsure && before.basketUnsure) {
      this.wanted = false;
      if (state.basket.seats.length) this.store.dispatch({ type: "step", step: "checkout" });
      else this.#replace({ step: "map" });
      return;
    }
    if (before.ui.mode !== state.ui.mode) this.#replace({ mode: state.ui.mode });
    if (before.step === state.step || state.step === this.#step) return;
    // A form that ended by itself, because the seats went or are being paid for, is nothing to come back to.
    if (state.step === "checkout") this.#push({ step: "checkout" });
    else this.#replace({ step: "map" });
  }

  /** The page's own way back out of the form. */
  back() {
    if (this.#step === "checkout") this.history.back();
    else this.store.dispatch({ type: "step", step: "map" });
  }

  /**
   * The list went to a zone and a row.
   * @param {number | null} zone
   * @param {number | null} row
   */
  list(zone, row) {
    this.#push({ list: [zone, row] });
  }

  /**
   * The map went to a section; null: it shows the whole hall, which is the step before where nothing came after the section
   * was opened. The entries of list and form have the section too: to go back from one of those would lead into it again.
   * @param {number | null} zone
   */
  zoomed(zone) {
    if (zone === this.section) return;
    const within = this.section !== null;
    this.section = zone;
    if (zone === null && this.#kept.opened) this.history.back();
    else if (within) this.#replace({ section: zone });
    else this.#push({ section: zone, opened: true });
  }

  #came() {
    this.store.dispatch({ type: "step", step: this.#step });
    this.onList(...this.listed);
    const section = this.#kept.section ?? null;
    if (section === this.section) return;
    this.section = section;
    this.onSection(section);
  }

  /** @param {Kept} changes */
  #push(changes) {
    const { opened, ...kept } = this.#kept;
    this.history.pushState({ ...kept, ...changes }, "");
  }

  /** @param {Kept} changes */
  #replace(changes) {
    this.history.replaceState({ ...this.#kept, ...changes }, "");
  }
}

// Draws the sale page: which view, the banner, the tab's title, and where the focus goes when the view changes.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { announce } from "./announce.js";
import { tellInBar } from "./banner.js";
import { clock, number, t } from "./i18n.js";
import { byId } from "./dom.js";
import { deadline, isUrgent } from "./deadline.js";
import { isSame } from "./kept.js";
import { saying } from "./outage.js";
import { whatIsLeft } from "./sold_out.js";
import { areOver, opensAt, secondsLeft, stage, turnSecondsLeft, whileLost } from "./state.js";
import { checkout } from "./views/checkout.js";
import { hall as hallView, opening } from "./views/hall.js";
import { setHands } from "./views/hands.js";
import { broken, closed, loading, out, stopped } from "./views/notices.js";
import { confirmed, failed, paying } from "./views/result.js";
import { leaving } from "./views/leaving.js";
import { soldOutAhead } from "./views/sold_out.js";
import { gathering } from "./views/gathering.js";
import { before, joining, waiting } from "./views/waiting.js";
import { isUsedUp } from "./wish.js";

const VIEWS = {
  loading,
  before,
  gathering,
  joining,
  waiting,
  soldout: soldOutAhead,
  opening,
  map: hallView,
  checkout,
  paying,
  confirmed,
  failed,
  cancelled: failed,
  leaving,
  out,
  closed,
  stopped,
  broken,
};
const BACK_FOR = 2500; // milliseconds that the banner says "back"
const OVER_FOR = 8000; // milliseconds that it says that an outage is over

/** @typedef {keyof typeof VIEWS} View */

export class Page {
  /**
   * @param {object} parts
   * @param {HTMLElement} parts.root
   * @param {Sale.Store} parts.store
   * @param {import("./board.js").Board} parts.board
   * @param {import("./hall.js").Hall} parts.hall
   * @param {Sale.Act} parts.act
   * @param {HTMLElement | null} parts.captcha
   * @param {import("./returns.js").Returns} parts.list
   */
  constructor({ root, store, board, hall, act, captcha, list }) {
    this.root = root;
    this.store = store;
    this.board = board;
    this.hall = hall;
    this.act = act;
    this.captcha = captcha;
    this.list = list;
    /** @type {View | null} */
    this.shown = null;
    /** @type {string | null} */
    this.step = null; // of leaving, that is shown
    /** @type {Sale.Mode | null} */
    this.mode = null; // in which the hall is seen
    /** @type {Sale.State | null} */
    this.drawn = null; // the state that is shown, but for its time
    this.arrived = false;
    this.free = false; // the hall has seats to ask for
    this.wishHeight = 0; // of the form in which they are asked for, CSS pixels
    this.wishWidth = 0; // of the window then: a turned phone breaks the lines elsewhere
    this.wasOver = false; // the time of the seats is
    /** Where they were, until the buyer goes on. @type {{height: number, width: number, sheet: boolean} | null} */
    this.kept = null;
    this.backUntil = 0;
    /** @type {Sale.Connection} */
    this.connection = "connecting";
    this.told = ""; // what the bar says instead of the event's name
    this.skip = byId("skip");
    this.toast = byId("toast");
    this.about = document.getElementById("about");
    this.opening = document.getElementById("opening"); // what the HTML tells, until there is a view to be seen
    hall.redraw = () => this.draw();
    // The words for "offline" need their letters before the network goes: type comes in pieces.
    document.fonts?.load('560 1rem "Pretendard Variable"', t("banner.offline") + t("banner.reconnecting"));
  }

  /**
   * The state has changed. Of a second that passes while fingers move the map only the clocks are drawn, so that no frame
   * of a pinch has to carry more (V1); all of it with the first one after that.
   */
  follow() {
    const { state } = this.store;
    if (this.hall.moves && this.drawn && isSecond(this.drawn, state) && this.#view(state) === this.shown) {
      this.drawn = state;
      setHands(state);
      this.#title(this.shown, state);
      this.#banner(state);
    } else this.draw();
  }

  draw() {
    const { hall } = this;
    const { state } = this.store;
    this.drawn = state;
    const view = this.#view(state);
    document.documentElement.dataset.stage = view;
    if (!this.opening || !isOpening(view, state)) this.#render(view, state);
    this.#title(view, state);
    this.#banner(state);
    this.#skip(view, state);
    this.#toast(state);
    // To leave is a way of its own: each step of it takes the control away that had the focus.
    const step = view === "leaving" ? (state.ui.leaving?.step ?? null) : null;
    if (view !== this.shown || step !== this.step) this.#changed(view);
    this.step = step;
    const mode = view === "map" ? state.ui.mode : null;
    if (mode !== null && mode !== this.mode) hall.seen(mode, this.mode !== null);
    this.mode = mode;
  }

  /**
   * @param {View} view
   * @param {Sale.State} state
   */
  #render(view, state) {
    this.opening?.remove();
    this.opening = null;
    this.#measure(view);
    this.#keep(view, state);
    // `#view` names no view whose event or plan is not there.
    const draw = /** @type {(model: Sale.Model) => unknown} */ (VIEWS[view]);
    render(draw(this.#model(state)), this.root);
  }

  /**
   * Others have taken the last seats: what stands for the form is as high as that was, and nothing moves.
   * @param {View} view
   */
  #measure(view) {
    const free = view === "map" && whatIsLeft(this.board, this.hall.own.size).kind === "free";
    /** @type {HTMLElement | null} */
    const form = this.free && !free ? this.root.querySelector("form.wish") : null;
    if (form) [this.wishHeight, this.wishWidth] = [form.offsetHeight, innerWidth];
    this.free = free;
  }

  /**
   * The time of the seats is over: what can be done then takes their place, and nothing moves until the buyer goes on.
   * @param {View} view
   * @param {Sale.State} state
   */
  #keep(view, state) {
    const over = view === "map" && areOver(state);
    /** @type {HTMLElement | null} */
    const side = over && !this.wasOver ? this.root.querySelector(".hall[data-has-seats] .side") : null;
    if (view !== "map" || state.basket.seats.length) this.kept = null;
    else if (side) this.kept = { height: side.offsetHeight, width: innerWidth, sheet: state.ui.sheet };
    this.wasOver = over;
  }

  /**
   * @param {Sale.State} state
   * @returns {View}
   */
  #view(state) {
    const { hall, board } = this;
    const wanted = stage(state);
    if (state.broken && !state.event) return "broken";
    if (state.connection === "stopped" && wanted !== "closed") return "stopped";
    if ((wanted === "map" && !board.ready) || ((wanted === "map" || wanted === "checkout") && !hall.drawn))
      return "opening";
    if (wanted !== "waiting") return wanted;
    // What the list has for the buyer comes with the view: nothing moves when it does.
    if (!this.list.settled) return "joining";
    // Nobody is let in to a hall that has nothing left: the place is not what matters any more.
    return whatIsLeft(board, 0).kind === "gone" ? "soldout" : "waiting";
  }

  /**
   * @param {Sale.State} state
   * @returns {Sale.Model}
   */
  #model(state) {
    const { board, hall, act, captcha, list } = this;
    const { event } = state;
    // The server takes nobody whose share is used up.
    const more = event === null || !isUsedUp({ ...state, event });
    const { kept } = this;
    const shown = list.shown(more && whatIsLeft(board, hall.own.size).kind === "gone");
    if (shown) list.draw();
    return {
      state,
      captcha,
      returns: shown ? list.box : null,
      offered: shown && (list.place?.state === "offered" || list.ended),
      board,
      act,
      plan: hall.drawn?.plan ?? null,
      seatMap: hall.drawn?.map ?? null,
      seatList: hall.drawn?.list ?? null,
      own: hall.own,
      asked: hall.asked,
      free: hall.free,
      swatches: hall.swatches,
      wishHeight: innerWidth === this.wishWidth ? this.wishHeight : 0,
      over: kept !== null,
      sideHeight: kept && innerWidth === kept.width && state.ui.sheet === kept.sheet ? kept.height : 0,
    };
  }

  /** @param {View} view */
  #changed(view) {
    this.shown = view;
    scrollTo(0, 0);
    this.#apart();
    // A new view is a new page to whoever cannot see it: its heading gets the focus. Not on arrival, where the
    // browser's own order (skip link first) is right.
    /** @type {HTMLElement | null} */
    const heading = this.root.querySelector("[data-focus]");
    if (this.arrived && heading) heading.focus({ preventScroll: true });
    this.arrived ||= !["loading", "joining", "opening"].includes(view);
    if (heading && view !== "map") announce(heading.textContent);
  }

  /** What stands below a view is not moved by the next one: it comes anew with it. */
  #apart() {
    const { about } = this;
    if (!about) return;
    about.hidden = true;
    requestAnimationFrame(() => requestAnimationFrame(() => (about.hidden = false)));
  }

  /**
   * @param {View} view
   * @param {Sale.State} state
   */
  #title(view, state) {
    const name = state.event?.name ?? document.title;
    const lead = titleOf(view, state);
    const title = lead ? `${lead} · ${name}` : name;
    if (document.title !== title) document.title = title;
  }

  /** @param {Sale.State} state */
  #banner(state) {
    const { connection } = state;
    const now = performance.now();
    if (connection !== this.connection) {
      const lost = ["reconnecting", "offline"].includes(this.connection);
      if (lost && (connection === "online" || connection === "polling")) {
        this.backUntil = now + BACK_FOR;
        setTimeout(() => this.draw(), BACK_FOR + 20);
      }
      this.connection = connection;
    }
    const outage = state.outage ?? state.doubted?.outage;
    let kind = null;
    if (connection === "offline") kind = "banner.offline";
    else if (outage) kind = `outage.${saying(outage)}`;
    else if (connection === "reconnecting" && state.wasOnline) kind = "banner.reconnecting";
    else if (state.outageOverAt !== null && state.local < state.outageOverAt + OVER_FOR) kind = "outage.over";
    else if (now < this.backUntil) kind = "banner.back";
    else if (connection === "polling") kind = "banner.polling";
    const shown = kind?.slice(kind.indexOf(".") + 1) ?? "";
    const end = shown === "offline" || shown === "reconnecting" ? whileLost(state) : "";
    const said = kind === null ? "" : t(kind + end);
    if (said === this.told) return;
    this.told = said;
    tellInBar(shown, said);
    if (kind?.startsWith("outage.")) announce(t(kind), { urgent: true });
  }

  /**
   * The first thing that Tab reaches: in the hall, the list that can do all that the map can.
   * @param {View} view
   * @param {Sale.State} state
   */
  #skip(view, state) {
    const { act, root } = this;
    const list = view === "map" && state.ui.mode === "map";
    /** @param {Event} event */
    const go = (event) => {
      event.preventDefault();
      /** @type {HTMLElement | null} */
      const heading = root.querySelector("[data-focus], [data-heading]");
      if (list) act.mode("list");
      else heading?.focus();
    };
    render(html`<a class="skip" href="#sale" @click=${go}>${list ? t("skip.list") : t("skip.content")}</a>`, this.skip);
  }

  /** @param {Sale.State} state */
  #toast({ ui }) {
    const text = ui.toast?.text ?? "";
    if (this.toast.textContent === text) return;
    this.toast.textContent = text;
    this.toast.hidden = !text;
  }
}

/**
 * Whether only time has passed, and its end is neither near nor there by that.
 * @param {Sale.State} old
 * @param {Sale.State} state
 */
function isSecond(old, state) {
  if (!isSame(old, state, "local")) return false;
  const end = deadline(state);
  if (!end) return true;
  /** @param {Sale.State} at */
  const isOver = (at) => turnSecondsLeft(at, end.until) === 0;
  return isUrgent(old, end) === isUrgent(state, end) && isOver(old) === isOver(state);
}

/**
 * Whether there is nothing to be seen yet, and nothing for the buyer to do or to know.
 * @param {View} view
 * @param {Sale.State} state
 */
const isOpening = (view, state) =>
  view === "loading" ||
  view === "opening" ||
  (view === "joining" && !state.problem && !state.price && state.connection !== "offline");

/**
 * What stands before the event's name in the tab's title.
 * @param {View} view
 * @param {Sale.State} state
 */
function titleOf(view, state) {
  const { basket, entry, event, queue } = state;
  const end = deadline(state);
  switch (view) {
    case "before": {
      const opens = event && opensAt(state);
      return opens ? clock(secondsLeft(state, Date.parse(opens))) : "";
    }
    case "gathering":
      return entry ? clock(secondsLeft(state, entry.drawAt)) : "";
    case "soldout":
      return t("sold_out.title");
    case "waiting":
      return queue ? t("title.place", { place: number(queue.ahead + 1) }) : "";
    case "map":
    case "checkout":
      return end && basket.seats.length ? clock(turnSecondsLeft(state, end.until)) : t("title.turn");
    case "paying":
      return t("title.paying");
    case "confirmed":
      return t("title.confirmed");
    case "failed":
      return t("title.failed");
    default:
      return "";
  }
}

// Draws the sale page: which view, the banner, the tab's title, and where the focus goes when the view changes.
import { html, render } from "../vendor/lit-html/lit-html.js";
import { announce } from "./announce.js";
import { clock, number, t } from "./i18n.js";
import { secondsLeft, stage } from "./state.js";
import { checkout } from "./views/checkout.js";
import { hall as hallView, opening } from "./views/hall.js";
import { broken, closed, loading, out, stopped } from "./views/notices.js";
import { confirmed, failed, paying } from "./views/result.js";
import { before, joining, waiting } from "./views/waiting.js";

const VIEWS = {
  loading,
  before,
  joining,
  waiting,
  opening,
  map: hallView,
  checkout,
  paying,
  confirmed,
  failed,
  cancelled: failed,
  out,
  closed,
  stopped,
  broken,
};
const BACK_FOR = 2500; // milliseconds that the banner says "back"

export class Page {
  constructor({ root, store, ui, board, hall, act }) {
    this.root = root;
    this.store = store;
    this.ui = ui;
    this.board = board;
    this.hall = hall;
    this.act = act;
    this.shown = null;
    this.arrived = false;
    this.backUntil = 0;
    this.connection = "connecting";
    this.banner = document.getElementById("banner");
    this.skip = document.getElementById("skip");
    this.toast = document.getElementById("toast");
    document.getElementById("opening")?.remove();
    hall.redraw = () => this.draw();
    // The words for "offline" need their letters before the network goes: type comes in pieces.
    document.fonts?.load('560 1rem "Pretendard Variable"', t("banner.offline") + t("banner.reconnecting"));
  }

  draw() {
    const { store, ui, hall } = this;
    const { state } = store;
    const view = this.#view(state);
    document.documentElement.dataset.stage = view;
    render(VIEWS[view](this.#model(state)), this.root);
    this.#title(view, state);
    this.#banner(state);
    this.#skip(view);
    this.#toast();
    if (view !== this.shown) this.#changed(view);
    if (view === "map" && hall.map && !this.mapShown && hall.map.element.isConnected && ui.mode === "map") {
      this.mapShown = true;
      hall.map.show();
      hall.list.update();
    }
    if (view !== "map") this.mapShown = false;
  }

  #view(state) {
    const { ui, hall, board } = this;
    const wanted = stage(state);
    if (ui.broken && !state.event) return "broken";
    if (state.connection === "stopped" && wanted !== "closed") return "stopped";
    return wanted === "map" && !(hall.plan && board.ready) ? "opening" : wanted;
  }

  #model(state) {
    const { ui, board, hall, act } = this;
    return {
      state,
      ui,
      board,
      act,
      plan: hall.plan,
      seatMap: hall.map,
      seatList: hall.list,
      own: hall.own,
      asked: hall.asked,
      free: hall.free,
      swatches: hall.swatches,
    };
  }

  #changed(view) {
    this.shown = view;
    scrollTo(0, 0);
    // A new view is a new page to whoever cannot see it: its heading gets the focus. Not on arrival, where the
    // browser's own order (skip link first) is right.
    const heading = this.root.querySelector("[data-focus]");
    if (this.arrived && heading) heading.focus({ preventScroll: true });
    this.arrived ||= !["loading", "joining", "opening"].includes(view);
    if (heading && view !== "map") announce(heading.textContent);
  }

  #title(view, state) {
    const name = state.event?.name ?? document.title;
    const lead = {
      before: () => (state.event.opens_at ? clock(secondsLeft(state, Date.parse(state.event.opens_at))) : ""),
      waiting: () => (state.queue ? t("title.place", { place: number(state.queue.ahead + 1) }) : ""),
      map: () => (state.basket.until ? clock(secondsLeft(state, state.basket.until)) : t("title.turn")),
      checkout: () => clock(secondsLeft(state, state.basket.until)),
      paying: () => t("title.paying"),
      confirmed: () => t("title.confirmed"),
      failed: () => t("title.failed"),
    }[view]?.();
    const title = lead ? `${lead} · ${name}` : name;
    if (document.title !== title) document.title = title;
  }

  #banner(state) {
    const { connection } = state;
    const now = Date.now();
    if (connection !== this.connection) {
      const lost = ["reconnecting", "offline"].includes(this.connection);
      if (lost && (connection === "online" || connection === "polling")) {
        this.backUntil = now + BACK_FOR;
        setTimeout(() => this.draw(), BACK_FOR + 20);
      }
      this.connection = connection;
    }
    let kind = null;
    if (connection === "offline") kind = "offline";
    else if (connection === "reconnecting" && state.wasOnline) kind = "reconnecting";
    else if (now < this.backUntil) kind = "back";
    else if (connection === "polling") kind = "polling";
    if (kind === this.banner.dataset.kind) return;
    this.banner.dataset.kind = kind ?? "";
    this.banner.hidden = kind === null;
    this.banner.textContent = kind === null ? "" : t(`banner.${kind}`);
  }

  // The first thing that Tab reaches: in the hall, the list that can do all that the map can.
  #skip(view) {
    const { ui, act, root } = this;
    const list = view === "map" && ui.mode === "map" && this.hall.list;
    const go = (event) => {
      event.preventDefault();
      if (list) act.mode("list");
      else root.querySelector("[data-focus], [data-heading]")?.focus();
    };
    render(html`<a class="skip" href="#sale" @click=${go}>${list ? t("skip.list") : t("skip.content")}</a>`, this.skip);
  }

  #toast() {
    const { toast } = this.ui;
    const shown = toast && Date.now() < toast.until;
    if (shown && this.toast.textContent !== toast.text) {
      this.toast.textContent = toast.text;
      this.toast.hidden = false;
      setTimeout(() => this.draw(), toast.until - Date.now() + 20);
    } else if (!shown && !this.toast.hidden) {
      this.toast.hidden = true;
      this.toast.textContent = "";
    }
  }
}

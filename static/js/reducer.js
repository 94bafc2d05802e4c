// The only way in which what the page knows changes. No DOM, no network, no clock in here.
//
// Actions are the server's messages as they come (realtime/wire.py), and what happens in the page itself (tools/js/types/sale.d.ts).

import { answered, refused, unanswered } from "./access_code.js";
import { afterNews, afterTime, afterWelcome } from "./outage.js";
import { learnt } from "./server_clock.js";
import { EMPTY_BASKET, isShorter, NO_CHECKOUT } from "./state.js";
import { insteadOf } from "./wish.js";

/**
 * @param {Sale.State} state
 * @param {Sale.Action} action
 * @returns {Sale.State}
 */
export function reduce(state, action) {
  const handler = /** @type {((state: Sale.State, action: Sale.Action) => Sale.State) | undefined} */ (
    HANDLERS[action.type]
  );
  return handler ? handler(state, action) : state;
}

/** @type {{[Type in Sale.Action["type"]]: (state: Sale.State, action: Extract<Sale.Action, {type: Type}>) => Sale.State}} */
const HANDLERS = {
  welcome(state, message) {
    const next = {
      ...state,
      ...afterWelcome(state),
      offset: learnt(state.offset, message.now, state.local),
      problem: null,
      pending: {},
      basketUnsure: true,
      code: unanswered(state, message.state !== "none"),
    };
    if (message.state === "active") return { ...next, presence: "active", outReason: null };
    if (message.state === "waiting") return { ...next, presence: "waiting", outReason: null };
    if (message.state === "entered") return { ...next, presence: "entered", outReason: null };
    // Who has left is out, whether or not the news of it came: a page that comes back asks before it joins anew.
    if (state.ui.leaving?.step === "gone")
      return {
        ...withUi(next, { leaving: null }),
        presence: "out",
        outReason: "left",
        basket: EMPTY_BASKET,
        queue: null,
      };
    // The turn ended, and not by silence, while this page was not connected: told as it would have been here.
    if (state.presence === "active" && message.ended && message.ended !== "heartbeat")
      return HANDLERS.expired(next, { type: "expired", reason: message.ended });
    // The server does not know us (any more). The ticket brings a waiting place back, and after a lost Redis that of
    // who was in as well; who was away for too long is told so in the queue.
    if (state.presence === "out") return next;
    const lapsed = state.presence === "active";
    const unheard = state.unheard || (lapsed && state.basket.seats.length > 0);
    return { ...next, presence: "joining", lapsed, unheard, basket: lapsed ? EMPTY_BASKET : next.basket };
  },

  // What the organiser changed, at once. Before the event was read there is nothing that it could change.
  sale(state, { status, paused, cancelled, opens_at, closes_at, gathers_at, entered }) {
    if (!state.event) return state;
    // Closed by mistake, and open again: whoever was sent out by that comes back in by the ticket.
    /** @type {Partial<Sale.State>} */
    const again = status === "open" && state.outReason === "closed" ? { presence: "joining", outReason: null } : {};
    const event = { ...state.event, status, paused, cancelled, opens_at, closes_at, gathers_at };
    return { ...state, ...again, event, gathered: entered };
  },

  // What is away, and since when the clocks of sessions and holds stand.
  outage(state, message) {
    return { ...state, ...afterNews(state, message) };
  },

  // Gathered for the opening: after the draw, `queue` or `admitted` comes by itself.
  entered(state, message) {
    return {
      ...withAnswer(state),
      presence: "entered",
      outReason: null,
      lapsed: false,
      problem: null,
      price: null,
      queue: null,
      ticket: message.ticket,
      entry: { receipt: message.receipt, drawAt: Date.parse(message.draw_at) },
      gathered: Math.max(state.gathered ?? 0, message.entered),
    };
  },

  queue(state, message) {
    const firstAhead = Math.max(state.queue?.firstAhead ?? 0, message.ahead);
    // Only an answer brings the ticket: that the place has moved says nothing of a code.
    return {
      ...(message.ticket ? withAnswer(state) : state),
      presence: "waiting",
      outReason: null,
      unheard: false, // that the turn passed is told there
      price: null,
      ticket: message.ticket ?? state.ticket,
      queue: {
        number: message.number,
        ahead: message.ahead,
        waiting: message.waiting,
        wait: message.wait ?? null,
        firstAhead,
      },
    };
  },

  admitted(state, message) {
    // What is at stake is another thing now: a question that was not answered yet is moot.
    const asked = state.ui.leaving?.step === "asked";
    const told = withAnswer(state);
    return {
      ...(asked ? withUi(told, { leaving: null }) : told),
      presence: "active",
      outReason: null,
      lapsed: false,
      price: null,
      queue: null,
      problem: null,
      ticket: message.ticket ?? state.ticket,
      session: { until: Date.parse(message.until), warningSeconds: message.warning_seconds ?? 60 },
    };
  },

  // The board follows the basket: without a basket before it there is none.
  board(state) {
    if (!state.basketUnsure) return state;
    return { ...state, basketUnsure: false, basket: EMPTY_BASKET, step: "map" };
  },

  held(state, message) {
    const seats = [...message.seats].sort((a, b) => a - b);
    const basket = seats.length
      ? {
          seats,
          until: message.until ? Date.parse(message.until) : null,
          fence: message.fence ?? null,
          extensionsLeft: message.extensions_left ?? 0,
        }
      : EMPTY_BASKET;
    return {
      ...state,
      basket,
      basketUnsure: false,
      pending: without(state.pending, message.id),
      basketExpired: seats.length ? false : state.basketExpired,
      unheard: seats.length ? false : state.unheard,
      step: seats.length ? state.step : "map",
    };
  },

  refused(state, message) {
    const request = state.pending[message.id ?? ""];
    // Where only who has a code may hold seats, the field for one is in the sheet.
    const wanted = message.code === "code_required";
    return {
      ...(wanted ? withUi({ ...state, code: null }, { sheet: true }) : state),
      pending: without(state.pending, message.id),
      instead: insteadOf(request, message),
      most: message.code === "too_many_seats" ? (message.max ?? state.most) : state.most,
      refusal: {
        id: String(message.id ?? ""),
        code: message.code,
        seats: message.seats ?? [],
        detail: message.detail ?? "",
        count: (state.refusal?.count ?? 0) + 1,
      },
    };
  },

  reservation(before, message) {
    const state = { ...before, orders: counted(before.orders, message) };
    const known = state.reservation?.id === message.id ? state.reservation : null;
    // A result is the end: what comes late and says less is not news.
    if (known && known.status !== "PAYING" && message.status === "PAYING") return state;
    // An older purchase, or one that another tab gave back: not what this page is waiting for.
    if (!known && message.status !== "PAYING" && !state.checkout.submitting && !message.asked) return state;
    return {
      ...state,
      reservation: {
        id: message.id,
        status: message.status,
        reason: message.reason === undefined ? (known?.reason ?? null) : message.reason,
        seats: message.seats ?? known?.seats,
        amount: message.amount ?? known?.amount,
        currency: message.currency ?? known?.currency,
        payment: message.payment === undefined ? known?.payment : message.payment,
      },
      bought: state.bought || message.status === "CONFIRMED",
      // Bought with: whether it is good for more is asked when it is given again.
      code: message.status === "CONFIRMED" ? null : state.code,
      basket: EMPTY_BASKET,
      instead: null,
      step: "map",
      checkout: NO_CHECKOUT,
    };
  },

  expired(state, message) {
    if (message.reason === "hold") {
      return { ...state, basket: EMPTY_BASKET, basketExpired: true, step: "map", pending: {} };
    }
    // Silence in the queue costs the entry, not the place: the ticket brings it back.
    if (message.reason === "heartbeat" && (state.presence === "waiting" || state.presence === "entered"))
      return { ...state, presence: "joining" };
    if (message.reason === "closed") {
      return {
        ...state,
        basket: EMPTY_BASKET,
        pending: {},
        presence: "out",
        outReason: "closed",
        session: null,
        queue: null,
      };
    }
    return {
      ...withUi(state, { leaving: null }),
      presence: "out",
      outReason: message.reason,
      bought: isShorter(state),
      basket: EMPTY_BASKET,
      pending: {},
      session: null,
      queue: null,
      step: "map",
    };
  },

  problem(state, message) {
    const pending = without(state.pending, message.id);
    if (message.code === "sale_closed")
      return { ...state, pending, presence: "out", outReason: "closed", session: null, queue: null };
    if (message.code === "not_in_queue" || message.code === "not_active")
      return { ...state, pending, presence: "joining", session: null };
    // What it costs, price.js says.
    if (message.code === "proof_required") return { ...state, pending };
    if (message.id) return HANDLERS.refused(state, { ...message, type: "refused", id: message.id, seats: [] });
    return { ...state, problem: { code: message.code, detail: message.detail ?? "" }, code: refused(state, message) };
  },

  price(state, { kind }) {
    return { ...state, price: kind, problem: null };
  },

  code(state, { given }) {
    return { ...state, problem: null, most: null, code: given ? { step: "asked", why: null } : null };
  },

  connection(state, { status, code = null }) {
    const wasOnline = state.wasOnline || status === "online" || status === "polling";
    return { ...state, connection: status, closeCode: code, wasOnline };
  },

  event(state, { event }) {
    return { ...state, event, broken: null };
  },

  broken(state, { code }) {
    return state.event ? state : { ...state, broken: code };
  },

  // The answer to a beat, and what else tells the server's time.
  beat(state, { now }) {
    const offset = learnt(state.offset, now, state.local);
    return offset === state.offset ? state : { ...state, offset };
  },

  tick(state, { local }) {
    return { ...state, local, ...afterTime({ ...state, local }) };
  },

  sent(state, { id, kind, seats, wish }) {
    const pending = { ...state.pending, [id]: { kind, seats, wish, at: state.local } };
    return { ...state, pending, instead: null, basketExpired: false, unheard: false };
  },

  orders(state, { reservations }) {
    const bought = reservations.filter(({ status }) => status === "CONFIRMED");
    const orderedAt = bought.length ? Math.max(...bought.map((one) => Date.parse(one.created_at))) : null;
    return { ...state, orders: reservations.reduce(counted, {}), orderedAt };
  },

  wish(state, { wish }) {
    return { ...withUi(state, { wish: { ...state.ui.wish, ...wish } }), instead: null };
  },

  only(state, { category }) {
    return { ...withUi(state, { filter: category === null ? null : new Set([category]) }), instead: null };
  },

  others(state) {
    return { ...state, instead: null };
  },

  step(state, { step }) {
    if (step === "checkout" && state.basket.seats.length === 0) return state;
    // What is being sent goes on, wherever the buyer looks meanwhile: the form that is opened again says so.
    return { ...state, step, checkout: state.checkout.submitting ? state.checkout : NO_CHECKOUT };
  },

  submitting(state) {
    return { ...withUi(state, { emailWrong: false }), checkout: { ...NO_CHECKOUT, submitting: true } };
  },

  "submit-again"(state, { seconds }) {
    return { ...state, checkout: { ...state.checkout, retryAfter: seconds } };
  },

  "submit-failed"(state, { code, retryAfter = null }) {
    const gone = code === "hold_expired" || code === "no_seats_held";
    return {
      ...state,
      checkout: { submitting: false, code, retryAfter },
      basket: gone ? EMPTY_BASKET : state.basket,
      basketExpired: gone || state.basketExpired,
      step: gone ? "map" : state.step,
    };
  },

  dismiss(state) {
    return { ...state, reservation: null, basketExpired: false, unheard: false };
  },

  rejoin(state) {
    return {
      ...withUi(state, { leaving: null }),
      presence: "joining",
      outReason: null,
      lapsed: false,
      bought: false,
      orderedAt: null,
      queue: null,
      entry: null,
      basketExpired: false,
      unheard: false,
      reservation: null,
      ticket: null,
    };
  },

  mode(state, { mode }) {
    return withUi(state, { mode });
  },

  filter(state, { category }) {
    const filter = new Set(state.ui.filter);
    if (!filter.delete(category)) filter.add(category);
    return { ...withUi(state, { filter: filter.size ? filter : null }), instead: null };
  },

  sheet(state) {
    return withUi(state, { sheet: !state.ui.sheet });
  },

  email(state, { email }) {
    return withUi(state, { email, emailWrong: false });
  },

  "code-text"(state, { text }) {
    return withUi(state, { code: text });
  },

  "email-wrong"(state) {
    return { ...withUi(state, { emailWrong: true }), checkout: NO_CHECKOUT };
  },

  provider(state, { provider }) {
    return withUi(state, { provider });
  },

  "giving-back"(state, { busy, failed }) {
    return withUi(state, { givingBack: { busy, failed } });
  },

  leaving(state, { leaving }) {
    return withUi(state, { leaving });
  },

  notify(state, { on }) {
    return withUi(state, { notify: on });
  },

  toast(state, { text }) {
    return withUi(state, { toast: { text, count: (state.ui.toast?.count ?? 0) + 1 } });
  },

  untoast(state, { count }) {
    return state.ui.toast?.count === count ? withUi(state, { toast: null }) : state;
  },
};

/**
 * @param {Sale.State} state
 * @param {Partial<Sale.Ui>} ui
 * @returns {Sale.State}
 */
function withUi(state, ui) {
  return { ...state, ui: { ...state.ui, ...ui } };
}

/**
 * What is typed is kept until the code is taken.
 * @param {Sale.State} state
 * @returns {Sale.State}
 */
function withAnswer(state) {
  const code = answered(state);
  return code === state.code ? state : withUi({ ...state, code }, { code: null });
}

/** What counts for one buyer's share (F3). */
const COUNTED = new Set(["PAYING", "CONFIRMED"]);

/**
 * @param {Sale.State["orders"]} orders
 * @param {Pick<Sale.ReservationNews, "id" | "status" | "seats">} reservation
 * @returns {Sale.State["orders"]}
 */
function counted(orders, { id, status, seats }) {
  const { [id]: before = 0, ...others } = orders;
  return COUNTED.has(status) ? { ...others, [id]: seats?.length ?? before } : others;
}

/**
 * @param {Sale.State["pending"]} pending
 * @param {string | number | undefined} id
 */
function without(pending, id) {
  if (id === undefined || !(id in pending)) return pending;
  const rest = { ...pending };
  delete rest[id];
  return rest;
}

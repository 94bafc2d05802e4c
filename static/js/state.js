// What the page knows, as one value; `reduce` is the only way it changes. No DOM, no network, no clock in here.
//
// Actions are the server's messages as they come (realtime/wire.py), and what happens in the page itself:
//   connection {status}   event {event, now, local}   failed {code}   sent {id, kind, seats}   tick {local}
//   reservation (also from HTTP)   submitting / submitted / submit-failed {code, retryAfter}   step {step}   dismiss   rejoin

/** `boot`: {slug, ticket} */
export function initial(boot) {
  return {
    slug: boot.slug,
    ticket: boot.ticket ?? null,
    connection: "connecting", // connecting, online, reconnecting, offline, polling, stopped
    wasOnline: false,
    event: null, // GET /api/events/{slug}
    offset: 0, // server's clock minus this machine's, milliseconds
    local: 0, // this machine's clock at the last tick, milliseconds
    presence: "unknown", // unknown, joining, waiting, active, out
    outReason: null,
    lapsed: false, // the turn passed while the connection was gone
    queue: null, // {number, ahead, waiting, eta, firstAhead}
    session: null, // {until, warningSeconds}
    basket: EMPTY_BASKET,
    basketUnsure: false, // after a reconnect, until the server has told the basket or sent the board without one
    pending: {}, // request id -> {kind, seats}
    refusal: null, // {code, seats, detail, count}
    basketExpired: false,
    step: "map", // map, checkout
    checkout: { submitting: false, code: null },
    reservation: null, // {id, status, reason, seats, amount, currency, payment?: {order, provider, state, page, until, retry_until?}}
    problem: null,
  };
}

export const EMPTY_BASKET = Object.freeze({ seats: Object.freeze([]), until: null, fence: null, extensionsLeft: 0 });

export function reduce(state, action) {
  const handler = HANDLERS[action.type];
  return handler ? handler(state, action) : state;
}

const HANDLERS = {
  welcome(state, message) {
    const next = {
      ...state,
      offset: Date.parse(message.now) - state.local,
      problem: null,
      pending: {},
      basketUnsure: true,
    };
    if (message.state === "active") return { ...next, presence: "active", outReason: null };
    if (message.state === "waiting") return { ...next, presence: "waiting", outReason: null };
    // The server does not know us (any more). The ticket brings a waiting place back, and after a lost Redis that of
    // who was in as well; who was away for too long is told so in the queue.
    return state.presence === "out" ? next : { ...next, presence: "joining", lapsed: state.presence === "active" };
  },

  // What the organiser changed, at once. Before the event was read there is nothing that it could change.
  sale(state, { status, paused, opens_at, closes_at }) {
    if (!state.event) return state;
    // Closed by mistake, and open again: whoever was sent out by that comes back in by the ticket.
    const again = status === "open" && state.outReason === "closed" ? { presence: "joining", outReason: null } : {};
    return { ...state, ...again, event: { ...state.event, status, paused, opens_at, closes_at } };
  },

  queue(state, message) {
    const firstAhead = Math.max(state.queue?.firstAhead ?? 0, message.ahead);
    return {
      ...state,
      presence: "waiting",
      outReason: null,
      ticket: message.ticket ?? state.ticket,
      queue: {
        number: message.number,
        ahead: message.ahead,
        waiting: message.waiting,
        eta: message.eta ?? null,
        firstAhead,
      },
    };
  },

  admitted(state, message) {
    return {
      ...state,
      presence: "active",
      outReason: null,
      lapsed: false,
      queue: null,
      problem: null,
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
      step: seats.length ? state.step : "map",
    };
  },

  refused(state, message) {
    const lapsed = message.code === "not_active" && state.presence === "active";
    return {
      ...state,
      ...(lapsed ? { presence: "joining", lapsed, session: null, basket: EMPTY_BASKET, step: "map" } : {}),
      pending: without(state.pending, message.id),
      refusal: {
        id: message.id ?? "",
        code: message.code,
        seats: message.seats ?? [],
        detail: message.detail ?? "",
        count: (state.refusal?.count ?? 0) + 1,
      },
    };
  },

  reservation(state, message) {
    const known = state.reservation;
    const same = known !== null && known.id === message.id;
    // A result is the end: what comes late and says less is not news.
    if (same && known.status !== "PAYING" && message.status === "PAYING") return state;
    // An older purchase, or one that another tab gave back: not what this page is waiting for.
    if (!same && message.status !== "PAYING" && !state.checkout.submitting && !message.asked) return state;
    return {
      ...state,
      reservation: { reason: null, ...known, ...pick(message, RESERVATION_FIELDS) },
      basket: EMPTY_BASKET,
      step: "map",
      checkout: { submitting: false, code: null },
    };
  },

  expired(state, message) {
    if (message.reason === "hold") {
      return { ...state, basket: EMPTY_BASKET, basketExpired: true, step: "map", pending: {} };
    }
    // Silence in the queue costs the entry, not the place: the ticket brings it back.
    if (message.reason === "heartbeat" && state.presence === "waiting") return { ...state, presence: "joining" };
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
      ...state,
      presence: "out",
      outReason: message.reason,
      basket: EMPTY_BASKET,
      pending: {},
      session: null,
      queue: null,
      step: "map",
    };
  },

  problem(state, message) {
    if (message.code === "sale_closed")
      return { ...state, presence: "out", outReason: "closed", session: null, queue: null };
    if (message.code === "not_in_queue" || message.code === "not_active")
      return { ...state, presence: "joining", session: null };
    if (message.id) return HANDLERS.refused(state, message);
    return { ...state, problem: { code: message.code, detail: message.detail ?? "" } };
  },

  connection(state, { status }) {
    return { ...state, connection: status, wasOnline: state.wasOnline || status === "online" || status === "polling" };
  },

  event(state, { event }) {
    return { ...state, event };
  },

  offset(state, { now }) {
    return { ...state, offset: Date.parse(now) - state.local };
  },

  tick(state, { local }) {
    return { ...state, local };
  },

  sent(state, { id, kind, seats }) {
    return { ...state, pending: { ...state.pending, [id]: { kind, seats } }, basketExpired: false };
  },

  unsent(state, { id }) {
    return { ...state, pending: without(state.pending, id) };
  },

  step(state, { step }) {
    if (step === "checkout" && state.basket.seats.length === 0) return state;
    return { ...state, step, checkout: { submitting: false, code: null } };
  },

  submitting(state) {
    return { ...state, checkout: { submitting: true, code: null } };
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
    return { ...state, reservation: null, basketExpired: false };
  },

  rejoin(state) {
    return {
      ...state,
      presence: "joining",
      outReason: null,
      lapsed: false,
      queue: null,
      basketExpired: false,
      reservation: null,
      ticket: null,
    };
  },
};

const RESERVATION_FIELDS = ["id", "status", "reason", "seats", "amount", "currency", "payment"];

function pick(source, names) {
  const picked = {};
  for (const name of names) if (source[name] !== undefined) picked[name] = source[name];
  return picked;
}

function without(pending, id) {
  if (!(id in pending)) return pending;
  const { [id]: _, ...rest } = pending;
  return rest;
}

/** The server's time now, milliseconds. */
export const serverNow = (state) => state.local + state.offset;

/** Seconds until `moment` (milliseconds, server's clock), never below 0. */
export const secondsLeft = (state, moment) => Math.max(0, (moment - serverNow(state)) / 1000);

/** before, open or closed, by the event's times and the server's clock. */
export function saleState(state) {
  const { event } = state;
  if (!event) return "unknown";
  const now = serverNow(state);
  if (event.status === "closed" || (event.closes_at && now >= Date.parse(event.closes_at))) return "closed";
  if (event.status === "open" || (event.opens_at && now >= Date.parse(event.opens_at))) return "open";
  return "before";
}

/** Which of the page's views is shown. */
export function stage(state) {
  const { reservation } = state;
  if (reservation)
    return { PAYING: "paying", CONFIRMED: "confirmed", FAILED: "failed", CANCELLED: "cancelled" }[reservation.status];
  const sale = saleState(state);
  if (sale === "unknown") return "loading";
  if (sale === "before") return "before";
  // A closing sale lets the active finish until the server says otherwise.
  if (state.presence === "active") return state.step === "checkout" && state.basket.seats.length ? "checkout" : "map";
  if (sale === "closed" || state.outReason === "closed") return "closed";
  if (state.presence === "waiting") return "waiting";
  if (state.presence === "out") return "out";
  return "joining";
}

/** Ordinals for which a request is under way. */
export function pendingSeats(state, kind) {
  const seats = new Set();
  for (const request of Object.values(state.pending)) {
    if (request.kind === kind) for (const seat of request.seats) seats.add(seat);
  }
  return seats;
}

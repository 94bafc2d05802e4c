// What the page knows, as one value, and what can be asked of it; reducer.js has the only way it changes. No DOM, no network,
// no clock in here.

import { kept } from "./kept.js";
import { stood } from "./outage.js";

/**
 * @param {{slug: string, ticket?: string | null, email?: string, shop?: Sale.Shop, code?: boolean, left?: boolean}} boot
 *   `code`: an access code is kept; whether it ever reached the server is not known. `left`: the visitor has left, and has not
 *   asked for a place since
 * @returns {Sale.State}
 */
export function initial({ slug, ticket = null, email = "", shop = NO_SHOP, code = false, left = false }) {
  return {
    slug,
    shop,
    ticket,
    connection: "connecting",
    closeCode: null,
    wasOnline: false,
    event: null,
    broken: null,
    outage: null,
    doubted: null,
    outageOverAt: null,
    offset: 0,
    local: 0,
    presence: left ? "out" : "unknown",
    outReason: left ? "left" : null,
    lapsed: false,
    bought: false,
    orderedAt: null,
    queue: null,
    entry: null,
    price: null,
    gathered: null,
    session: null,
    basket: EMPTY_BASKET,
    basketUnsure: false,
    pending: {},
    refusal: null,
    instead: null,
    orders: {},
    most: null,
    basketExpired: false,
    unheard: false,
    step: "map",
    checkout: NO_CHECKOUT,
    reservation: null,
    problem: null,
    code: code ? { step: "asked", why: null } : null,
    ui: {
      mode: "map",
      filter: null,
      wish: { count: null, accessible: false },
      sheet: false,
      email,
      emailWrong: false,
      code: null,
      provider: null,
      givingBack: { busy: false, failed: null },
      notify: false,
      leaving: null,
      toast: null,
    },
  };
}

/** @type {Sale.Shop} */
const NO_SHOP = { providers: [], alternative: "" };
/** @type {Sale.Checkout} */
export const NO_CHECKOUT = { submitting: false, code: null, retryAfter: null };

/** @type {Sale.Basket} */
export const EMPTY_BASKET = Object.freeze({ seats: Object.freeze([]), until: null, fence: null, extensionsLeft: 0 });

/** @type {(state: object) => object} */
const unchanged = kept((state) => state);

/**
 * The state without the time: the very same while nothing but a second has passed.
 * @template {Sale.State} Of
 * @param {Of} state
 * @returns {Omit<Of, "local">}
 */
export function timeless({ local, ...others }) {
  return /** @type {Omit<Of, "local">} */ (unchanged(others));
}

/**
 * The server's time now, milliseconds.
 * @param {Sale.State} state
 */
export const serverNow = (state) => state.local + state.offset;

/**
 * Seconds until `moment` (milliseconds, server's clock), never below 0.
 * @param {Sale.State} state
 * @param {number} moment
 */
export const secondsLeft = (state, moment) => Math.max(0, (moment - serverNow(state)) / 1000);

/**
 * The same by the clock of sessions and holds, which stands in an outage.
 * @param {Sale.State} state
 * @param {number} moment
 */
export const turnSecondsLeft = (state, moment) => {
  const now = serverNow(state);
  return Math.max(0, (moment - now + stood(state.outage, now)) / 1000);
};

/**
 * As the server says. That it opens, the server tells everybody at that moment (`sale`): no clock of this machine decides
 * who asks first.
 * @param {Sale.State} state
 * @returns {"unknown" | "before" | "open" | "closed"}
 */
export function saleState(state) {
  const { event } = state;
  if (!event) return "unknown";
  const now = serverNow(state);
  if (event.status === "closed" || (event.closes_at && now >= Date.parse(event.closes_at))) return "closed";
  return event.status;
}

/**
 * When the sale opens next by itself, ISO 8601, or null: of a sale in parts, the part that is next.
 * @param {Sale.State} state
 */
export function opensAt(state) {
  const { opens_at, phases } = /** @type {Api.EventDetails} */ (state.event);
  const now = serverNow(state);
  const to_come = phases.map((phase) => phase.opens_at).filter((moment) => Date.parse(moment) > now);
  return phases.length ? (to_come.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null) : opens_at;
}

/**
 * Whether a `join` makes sense now: the sale is open, or people gather for its opening.
 * @param {Sale.State} state
 */
export function mayJoin(state) {
  const sale = saleState(state);
  const gathers = state.event?.gathers_at;
  return sale === "open" || (sale === "before" && Boolean(gathers) && serverNow(state) >= Date.parse(gathers ?? ""));
}

/** @type {ReadonlySet<Sale.State["presence"]>} In which there is something to leave. */
const IN = new Set(["entered", "waiting", "active"]);

/** @type {Record<Wire.Reservation["status"], Sale.Stage>} */
const ENDED = { PAYING: "paying", CONFIRMED: "confirmed", FAILED: "failed", CANCELLED: "cancelled" };

/**
 * Whether something was bought in this turn, which is shorter since: by what was told here, or, after a reload, by the last
 * confirmed order. A turn lasts no longer than a session: an order from before that belongs to an earlier one.
 * @param {Sale.State} state
 */
export function isShorter({ bought, event, orderedAt, session }) {
  if (bought || !event || !session || orderedAt === null) return bought;
  return orderedAt >= session.until - event.session_seconds * 1000;
}

/**
 * Whether the organiser lets this browser, or its network, have no place for a while: the page asks on by itself.
 * @param {Sale.State} state
 */
export const isKeptOut = ({ presence, problem }) => presence === "joining" && problem?.code === "removed";

/**
 * Which of the page's views is shown.
 * @param {Sale.State} state
 * @returns {Sale.Stage}
 */
export function stage(state) {
  const { reservation } = state;
  if (reservation) return ENDED[reservation.status];
  if (state.ui.leaving && IN.has(state.presence)) return "leaving";
  const sale = saleState(state);
  if (sale === "unknown") return "loading";
  if (state.presence === "entered" && sale !== "closed") return "gathering";
  // Who is out is not among those who are drawn, and may come back.
  const isOut = state.presence === "out" || isKeptOut(state);
  if (sale === "before") return isOut && mayJoin(state) ? "out" : "before";
  // A closing sale lets the active finish until the server says otherwise.
  if (state.presence === "active") return state.step === "checkout" && state.basket.seats.length ? "checkout" : "map";
  if (sale === "closed" || state.outReason === "closed") return "closed";
  if (state.presence === "waiting") return "waiting";
  return isOut ? "out" : "joining";
}

/**
 * Whether the time of the buyer's seats ran out, and nothing was done since.
 * @param {Pick<Sale.State, "basket" | "basketExpired">} state
 */
export const areOver = ({ basket, basketExpired }) => basketExpired && basket.seats.length === 0;

/**
 * Ordinals for which a request is under way.
 * @param {Sale.State} state
 * @param {Sale.RequestKind} kind
 */
export function pendingSeats(state, kind) {
  /** @type {Set<number>} */
  const seats = new Set();
  for (const request of Object.values(state.pending)) {
    if (request.kind === kind) for (const seat of request.seats) seats.add(seat);
  }
  return seats;
}

/** Of an attempt: the buyer has something to do, for a time. @type {ReadonlySet<string>} */
export const WAITS_FOR_BUYER = new Set(["OPEN", "CLOSED", "DECLINED"]);

/**
 * What becomes of what the visitor has while the connection is lost: the end of the key of the words for it. A place in the
 * queue is kept for long, a turn and seats that are to be paid are not; who has none of them is promised nothing.
 * @param {Pick<Sale.State, "presence" | "ticket"> & {reservation: Pick<Sale.Purchase, "status" | "payment"> | null}} state
 */
export function whileLost({ presence, ticket, reservation }) {
  if (reservation?.status === "PAYING")
    return WAITS_FOR_BUYER.has(reservation.payment?.state ?? "") ? "_in" : "_paying";
  if (reservation) return "_plain";
  if (presence === "active") return "_in";
  const hasPlace = presence === "entered" || presence === "waiting" || (presence === "joining" && ticket !== null);
  return hasPlace ? "" : "_plain";
}

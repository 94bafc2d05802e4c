import { NoAnswer, Refusal } from "/static/js/api.js";
import { Buying } from "/static/js/buying.js";
import { load, reason } from "/static/js/i18n.js";
import { initial } from "/static/js/state.js";
import { createStore } from "/static/js/store.js";
import { whatIsWrong } from "/static/js/email_words.js";
import { same, that, until } from "./same.js";

const now = "2030-05-01T20:00:00Z";
const PAID = { id: "r1", status: "CONFIRMED", reason: null, seats: [4], amount: 100, currency: "KRW" };

/** A page in the middle of paying for seat 4; `reserve(key, body)` is the server. */
function shop(reserve, items = new Map()) {
  const kept = (items) => ({
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  });
  const storage = kept(items);
  const told = new Map(); // what all tabs have
  const store = createStore(initial({ slug: "x", email: "k@l.m" }));
  for (const action of [
    { type: "tick", local: Date.parse(now) },
    { type: "event", event: { status: "open", opens_at: null, closes_at: null, max_seats: 4 } },
    { type: "welcome", state: "active", now },
    { type: "admitted", until: "2030-05-01T20:10:00Z", warning_seconds: 60 },
    { type: "held", id: "", seats: [4], until: "2030-05-01T20:05:00Z", fence: 7, extensions_left: 1 },
    { type: "step", step: "checkout" },
  ])
    store.dispatch(action);
  const sent = [];
  const api = {
    reserve: async (key, body) => {
      sent.push({ key, email: body.email });
      return { body: await reserve(key, body, sent.length), at: null };
    },
  };
  const buying = new Buying({ slug: "x", api, store, storage, shared: kept(told) });
  const waited = []; // [milliseconds, what the page has of it meanwhile]
  buying.wait = async (ms) => void waited.push([ms, store.state.checkout]);
  return { buying, store, storage, items, told, sent, waited };
}

const refuse = (status, code, more = {}) => Promise.reject(new Refusal(status, { code, ...more }, more.retry ?? null));

export async function anAnswerEndsThePayment() {
  const { buying, store, items } = shop(async () => PAID);
  await buying.submit();
  same([store.state.reservation.status, buying.busy.on, [...items]], ["CONFIRMED", false, [["onsale.reservation.x", PAID.id]]]);
  buying.actions.seen();
  same([store.state.reservation, items.size], [null, 0]);
}

export async function twoPressesAreOneRequest() {
  let answer;
  const { buying, sent } = shop(() => new Promise((resolve) => (answer = resolve)));
  const first = buying.submit();
  await buying.submit();
  answer(PAID);
  await first;
  same(sent.length, 1);
}

// Rule 2: the answer got lost, so the same request goes again, under the same key.
export async function aLostAnswerIsAskedForAgainUnderTheSameKey() {
  const { buying, store, sent } = shop(async (key, body, nth) => (nth < 2 ? Promise.reject(new NoAnswer("lost")) : PAID));
  await buying.submit();
  same([sent.length, new Set(sent.map(({ key }) => key)).size, store.state.reservation.status], [2, 1, "CONFIRMED"]);
}

// R5: the server does not know whether the order was made: the same key gives the first answer.
export async function anUnknownOutcomeIsAskedForAgainUnderTheSameKey() {
  const { buying, store, sent } = shop(async (key, body, nth) =>
    nth < 2 ? refuse(503, "outcome_unknown", { retry: 2 }) : PAID,
  );
  await buying.submit();
  same([sent.length, new Set(sent.map(({ key }) => key)).size, store.state.reservation.status], [2, 1, "CONFIRMED"]);
}

// R8: more to do than the server can: it says when, and the page asks by itself, later than that and not all at once.
export async function anOrderThatWasRefusedForNowIsSentAgainWhenTheServerSays() {
  const { buying, store, sent, waited } = shop(async (key, body, nth) =>
    nth < 3 ? refuse(503, "store_unavailable", { retry: 4 }) : PAID,
  );
  await buying.submit();
  same([sent.length, new Set(sent.map(({ key }) => key)).size, store.state.reservation.status], [3, 1, "CONFIRMED"]);
  for (const [ms, { submitting, code, retryAfter }] of waited) {
    that(ms >= 4000 && ms <= 6000, ms);
    same([submitting, code, Math.round(retryAfter * 1000)], [true, null, Math.round(ms)]);
  }
}

export async function itIsNotSentAgainForEver() {
  const { buying, store, sent } = shop(() => refuse(503, "store_unavailable", { retry: 2 }));
  await buying.submit();
  same([sent.length, store.state.checkout.code, store.state.checkout.submitting], [6, "store_unavailable", false]);
}

export async function whatDoesNotSayWhenIsTheBuyersToRepeat() {
  for (const answer of [
    () => refuse(503, "store_unavailable"),
    () => refuse(503, "store_unavailable", { retry: 120 }),
    () => refuse(503, "payment_unavailable", { retry: 2 }),
    () => refuse(429, "too_many_requests", { retry: 2 }),
    () => refuse(409, "seat_taken"),
  ]) {
    const { buying, sent } = shop(answer);
    await buying.submit();
    same(sent.length, 1);
  }
}

// Nothing has begun, and the page says that paying is off: it does not say at once that it is sent again.
export async function whereNobodyCanPayTheBuyerDecides() {
  const { buying, store, sent } = shop(() => refuse(503, "store_unavailable", { retry: 2 }));
  buying.wait = async () => void store.dispatch({ type: "outage", away: ["database"], since: now, until: null });
  await buying.submit();
  same([sent.length, store.state.checkout.code, buying.busy.on], [1, "store_unavailable", false]);
}

export async function aRefusalGivesTheButtonBack() {
  const { buying, store } = shop(() => refuse(503, "payment_unavailable", { retry: 30 }));
  await buying.submit();
  same([store.state.checkout, buying.busy.on], [{ submitting: false, code: "payment_unavailable", retryAfter: 30 }, false]);
}

// On plain http there is no crypto.randomUUID: Pay stayed busy for ever.
export async function payingNeedsNoSecurePage() {
  const real = crypto.randomUUID;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    const { buying, store, sent } = shop(async () => PAID);
    await buying.submit();
    that(/^[0-9a-f]{32}$/.test(sent[0].key), sent[0].key);
    same([store.state.reservation.status, buying.busy.on], ["CONFIRMED", false]);
  } finally {
    Object.defineProperty(crypto, "randomUUID", { value: real, configurable: true });
  }
}

// Whatever goes wrong between the press and its answer: the button can be pressed again.
export async function whatBreaksBeforeTheRequestGivesTheButtonBack() {
  const { buying, store, storage, sent } = shop(async () => PAID);
  const { setItem } = storage;
  storage.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  await buying.submit();
  same([store.state.checkout.submitting, buying.busy.on, sent.length], [false, false, 0]);
  storage.setItem = setItem;
  await buying.submit();
  same(store.state.reservation.status, "CONFIRMED");
}

export async function anAddressThatIsNoneIsToldBeforeTheRequest() {
  const { buying, store, sent } = shop(async () => PAID);
  store.dispatch({ type: "email", email: "kim" });
  await buying.submit();
  same([store.state.ui.emailWrong, sent.length], [true, 0]);
}

export async function anAddressThatTheServerRefusesIsTold() {
  const { buying, store, items } = shop(() => refuse(422, "invalid_request"));
  await buying.submit();
  same([store.state.ui.emailWrong, store.state.checkout.submitting, [...items.keys()]], [true, false, []]);
}

// The field is off while the order is sent; the focus goes to it when it is on again.
export async function theFieldOfARefusedAddressGetsTheFocus() {
  const { buying, store } = shop(() => refuse(422, "invalid_request"));
  const field = document.body.appendChild(Object.assign(document.createElement("input"), { id: "email" }));
  store.subscribe(({ checkout }) => void (field.disabled = checkout.submitting));
  try {
    await buying.submit();
    same([document.activeElement === field, field.disabled], [true, false]);
  } finally {
    field.remove();
  }
}

export function theReasonIsTheAddressesOwn() {
  const reasons = ["jürgen@example.org", "k@127.0.0.1", "k@1.1", "k @example", "kim@", "kim@bücher.example"].map(whatIsWrong);
  same(reasons, ["letters", "host", "host", "form", "form", "form"]);
}

// Corrected after the first form had arrived: its reservation is the one that counts.
export async function theFirstFormCountsWhenItHadArrived() {
  const items = new Map();
  const lost = shop(() => refuse(503, "store_unavailable"), items);
  await lost.buying.submit();
  const again = shop(async (key, body, nth) => (nth === 1 ? refuse(422, "idempotency_key_reused") : PAID), items);
  again.store.dispatch({ type: "email", email: "other@l.m" });
  await again.buying.submit();
  same(again.sent.map(({ email }) => email), ["other@l.m", "k@l.m"]);
  same([new Set([...lost.sent, ...again.sent].map(({ key }) => key)).size, again.store.state.reservation.status], [1, "CONFIRMED"]);
}

export async function newsByTheChannelEndsThePayment() {
  const { buying, store, items, told } = shop(async () => ({ ...PAID, status: "PAYING" }));
  await buying.submit();
  same([...items.keys()].sort(), ["onsale.attempt.x", "onsale.reservation.x"]);
  same([...told], [["onsale.order.x", PAID.id]]);
  store.dispatch({ type: "reservation", ...PAID });
  buying.told();
  // The result is shown again after a reload, until it was seen.
  await until(() => !items.has("onsale.attempt.x"));
  same([[...items.keys()], told.size], [["onsale.reservation.x"], 0]);
}

// Back while the order is being sent: it goes on being sent, and the form that is opened again says so.
export async function theFormThatIsOpenedAgainSaysThatTheOrderIsBeingSent() {
  let answer;
  const { buying, store } = shop(() => new Promise((resolve) => (answer = resolve)));
  const paying = buying.submit();
  buying.actions.back();
  same([store.state.step, store.state.checkout.submitting], ["map", true]);
  buying.actions.checkout();
  same([store.state.step, store.state.checkout.submitting], ["checkout", true]);
  answer(PAID);
  await paying;
  same([store.state.reservation.status, store.state.checkout.submitting], ["CONFIRMED", false]);
}

const MORE = { type: "held", id: "", seats: [4, 5], until: "2030-05-01T20:05:00Z", fence: 8, extensions_left: 1 };

// Rule 2: what is ordered is what the button was pressed for. Nothing has begun: with other seats the buyer presses again.
export async function otherSeatsThanThoseOfThePressAreNotOrdered() {
  await load("en", "/static");
  for (const change of [
    MORE,
    { ...MORE, seats: [5], fence: 7 },
    { ...MORE, seats: [4], fence: 8 }, // let go, and taken again
    { ...MORE, seats: [] },
    { type: "sent", id: "r9", kind: "hold", seats: [5] }, // not answered yet
  ]) {
    const { buying, store, sent } = shop(() => refuse(503, "store_unavailable", { retry: 2 }));
    buying.wait = async () => {
      buying.actions.back();
      store.dispatch(change);
    };
    await buying.submit();
    same([sent.length, store.state.checkout.code, store.state.checkout.submitting], [1, "seats_changed", false]);
    // Told where the buyer is, in words of its own; the form that is opened again is a fresh one.
    same(store.state.ui.toast.text, reason("seats_changed"));
    that(store.state.ui.toast.text !== reason("no such code"), "it has words");
    buying.actions.checkout();
    if (store.state.basket.seats.length) same(store.state.checkout, { submitting: false, code: null, retryAfter: null });
    same(buying.busy.on, false);
  }
}

export async function seatsWhoseTimeIsOverMeanwhileAreToldAsSuch() {
  const { buying, store, sent } = shop(() => refuse(503, "store_unavailable", { retry: 2 }));
  buying.wait = async () => void store.dispatch({ type: "expired", reason: "hold" });
  await buying.submit();
  same([sent.length, store.state.checkout.code, store.state.basketExpired, store.state.ui.toast], [1, "hold_expired", true, null]);
}

// More time is no change, and what may have come already is asked for until it is known.
export async function theSameSeatsAndWhatMayHaveComeAreSentAgain() {
  const longer = { ...MORE, seats: [4], until: "2030-05-01T20:08:00Z", fence: 7, extensions_left: 0 };
  for (const [change, error] of [
    [longer, () => refuse(503, "store_unavailable", { retry: 2 })],
    [MORE, () => refuse(503, "outcome_unknown", { retry: 2 })],
    [MORE, () => Promise.reject(new NoAnswer("lost"))],
  ]) {
    const { buying, store, sent } = shop(async (key, body, nth) => (nth < 2 ? error() : PAID));
    buying.wait = async () => void store.dispatch(change);
    await buying.submit();
    same([sent.length, store.state.reservation?.status], [2, "CONFIRMED"]);
  }
  const { buying, store, sent } = shop(async (key, body, nth) =>
    nth === 1 ? Promise.reject(new NoAnswer("lost")) : nth === 2 ? refuse(503, "store_unavailable", { retry: 2 }) : PAID,
  );
  buying.wait = async () => void store.dispatch(MORE);
  await buying.submit();
  same([sent.length, store.state.reservation?.status], [3, "CONFIRMED"]);
}

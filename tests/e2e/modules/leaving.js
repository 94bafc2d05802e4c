import { departure, Leaving, UNDO_MS } from "/static/js/leaving.js";
import { reduce } from "/static/js/reducer.js";
import { initial, stage } from "/static/js/state.js";
import { createStore } from "/static/js/store.js";
import { same } from "./same.js";

const EVENT = { status: "open", opens_at: null, closes_at: null, gathers_at: null };
const QUEUE = { type: "queue", number: 13, ahead: 12, waiting: 20, wait: { low: 5400, high: 9720 } };

function place({ told = () => true } = {}) {
  const store = createStore(initial({ slug: "s", ticket: "t", email: "" }));
  store.dispatch({ type: "event", event: EVENT });
  store.dispatch(QUEUE);
  let now = 1000;
  let gave = 0;
  const leaving = new Leaving({ store, give: () => told() && ((gave += 1), true), now: () => now });
  const later = (milliseconds) => {
    now += milliseconds;
    leaving.tick();
  };
  return { store, leaving, later, gave: () => gave, stage: () => stage(store.state) };
}

export function nothingIsGivenUpWithoutAnAnswer() {
  const { leaving, later, gave, stage } = place();
  leaving.actions.leave();
  same([stage(), gave()], ["leaving", 0]);
  later(UNDO_MS * 10);
  same(gave(), 0);
  leaving.actions.stay();
  same(stage(), "waiting");
}

export function leavingCanBeTakenBackForTenSeconds() {
  const { leaving, later, gave, stage } = place();
  leaving.actions.leave();
  leaving.actions.go();
  later(UNDO_MS - 1);
  same([stage(), gave()], ["leaving", 0]);
  leaving.actions.stay();
  later(UNDO_MS);
  same([stage(), gave()], ["waiting", 0]);
}

export function afterThatTheServerIsToldOnce() {
  const { store, leaving, later, gave, stage } = place();
  leaving.actions.leave();
  leaving.actions.go();
  later(UNDO_MS);
  later(1000);
  same(gave(), 1);
  store.dispatch({ type: "expired", reason: "left" });
  same(stage(), "out");
  store.dispatch({ type: "rejoin" });
  store.dispatch(QUEUE);
  same(stage(), "waiting");
}

// Its socket died with the word on it, or the page came back out of the back-forward cache.
export function whoHasLeftIsOutAlsoWithoutTheNewsOfIt() {
  const { store, leaving, later, stage } = place();
  leaving.actions.leave();
  leaving.actions.go();
  later(UNDO_MS);
  store.dispatch({ type: "welcome", state: "none", now: "2030-01-01T00:00:00Z", beat_seconds: 5 });
  same([stage(), store.state.outReason], ["out", "left"]);
}

export function aWordThatGotLostIsSaidAgain() {
  const { leaving, later, gave } = place();
  leaving.actions.leave();
  leaving.actions.go();
  later(UNDO_MS);
  later(1000);
  same(gave(), 1);
  later(5000);
  same(gave(), 2);
}

export function aServerThatIsAwayIsToldWhenItIsBack() {
  let here = false;
  const { leaving, later, gave } = place({ told: () => here });
  leaving.actions.leave();
  leaving.actions.go();
  later(UNDO_MS);
  same(gave(), 0);
  here = true;
  later(1000);
  same(gave(), 1);
}

export function whoClosesThePageMeanwhileMeantIt() {
  const { leaving, gave } = place();
  leaving.actions.leave();
  dispatchEvent(new Event("pagehide"));
  same(gave(), 0);
  leaving.actions.go();
  dispatchEvent(new Event("pagehide"));
  same(gave(), 1);
}

export function theTurnThatComesMeanwhileAsksAnew() {
  const { store, leaving, stage } = place();
  leaving.actions.leave();
  store.dispatch({ type: "admitted", until: "2030-01-01T00:00:00Z" });
  same(stage(), "map");
}

// F5 within the ten seconds, or on the page that says that one has left, is no wish for a place; a link is one.
export function aReloadIsNoWishForAnotherPlace() {
  const items = new Map();
  const storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
  const reload = () => departure(storage, "s", true);
  same(reload().known, false);
  reload().keep();
  const again = reload();
  const left = initial({ slug: "s", left: again.known });
  same([stage({ ...left, event: EVENT }), reload().known], ["out", true]);
  const joins = reduce(left, { type: "rejoin" });
  again.follow(left, joins);
  same(reload().known, false);
  const waits = reduce(joins, QUEUE);
  again.follow(waits, reduce(waits, { type: "expired", reason: "session" }));
  same(reload().known, false);
  again.follow(waits, reduce(waits, { type: "expired", reason: "left" }));
  same([reload().known, departure(storage, "s", false).known, reload().known], [true, false, false]);
}

import { Board } from "/static/js/board.js";
import { Hall } from "/static/js/hall.js";
import { learnCurrencies, use } from "/static/js/i18n.js";
import { Plan } from "/static/js/plan.js";
import { fromSeats } from "/static/js/plan_columns.js";
import { initial } from "/static/js/state.js";
import { createStore } from "/static/js/store.js";
import { same, that, until } from "./same.js";

learnCurrencies({ KRW: 0 });

const now = "2030-05-01T20:00:00Z";
const PLAN = {
  name: "", width: 100, height: 20, zones: ["A"], areas: [], row_labels: [],
  categories: [{ name: "Near", color: "#00aa00", price: 2 }],
  seats: Array.from({ length: 6 }, (_, i) => ({
    ordinal: i, guid: `${i}`, zone: "A", row: "1", number: `${i + 1}`, category: "Near", x: i * 20, y: 0, r: 8, accessible: false,
  })),
};
const board = (states, version = 1) => ({ epoch: 1, version, states: btoa(String.fromCharCode(...states)) });

/** A visitor who is in, in front of six seats; `sent` are the commands, `online` whether there is anybody to send to. */
async function inTheHall(states = [0, 0, 0, 0, 0, 0], plans = []) {
  await use("en", (await (await fetch("/static/i18n/en.json")).json()));
  for (const id of ["live-urgent", "live-polite"])
    if (!document.getElementById(id)) document.body.append(Object.assign(document.createElement("div"), { id }));
  const sent = [];
  const server = { online: true };
  const store = createStore(initial({ slug: "x" }));
  const seats = new Board();
  let count = 0;
  const hall = new Hall({
    load: async () => plans.shift() ?? new Plan(fromSeats(PLAN)),
    board: seats,
    store,
    channel: { send: (message) => server.online && Boolean(sent.push(message)) },
    newId: () => `r${(count += 1)}`,
  });
  let before = store.state;
  store.subscribe((state) => {
    hall.follow(before, state);
    before = state;
  });
  const tell = async (...messages) => {
    for (const message of messages) store.dispatch(message);
    await Promise.resolve(); // the listeners run when all of the moment is told
  };
  await tell(
    { type: "tick", local: Date.parse(now) },
    { type: "event", event: { status: "open", opens_at: null, closes_at: null, max_seats: 2, currency: "KRW", plan_version: "p" } },
    { type: "welcome", state: "active", now },
    { type: "admitted", until: "2030-05-01T20:10:00Z", warning_seconds: 60 },
    { type: "board" },
  );
  hall.boardCame(seats.load(board(states)));
  await until(() => hall.drawn);
  return { hall, store, seats, sent, server, tell };
}

const held = (seats, id = "") => ({ type: "held", id, seats, until: "2030-05-01T20:05:00Z", fence: 7, extensions_left: 1 });
const toast = (store) => store.state.ui.toast?.text ?? null;

export async function aPickHoldsAndAnotherOneLetsGo() {
  const { hall, sent, tell } = await inTheHall();
  hall.actions.pick(3);
  same(sent, [{ type: "hold", id: "r1", seats: [3] }]);
  await tell();
  hall.actions.pick(3); // the answer is on its way
  same(sent.length, 1);
  await tell(held([3], "r1"));
  same([[...hall.own], [...hall.asked]], [[3], []]);
  hall.actions.pick(3);
  same(sent.at(-1), { type: "release", id: "r2", seats: [3] });
}

export async function whatCannotBeHadIsNotAskedFor() {
  const { hall, store, sent, tell } = await inTheHall([0, 1, 2, 3, 0, 0]);
  for (const seat of [1, 2, 3]) hall.actions.pick(seat);
  same(sent, []);
  await tell(held([0, 4]));
  store.dispatch({ type: "mode", mode: "list" });
  hall.actions.pick(5); // two are the most
  same(sent, []);
  that(toast(store).includes("2"), toast(store));
}

export async function whereNobodyListensNothingIsPending() {
  const { hall, store, server } = await inTheHall();
  server.online = false;
  hall.actions.pick(3);
  same(store.state.pending, {});
}

// Nothing together: what can be had instead stays in sight until something else is asked for.
export async function bestSeatsAreFoundByTheServer() {
  const { hall, store, sent, tell } = await inTheHall();
  hall.actions.best(2);
  await tell();
  same(sent, [{ type: "best", id: sent[0].id, count: 2 }]);
  const refused = { type: "refused", id: sent[0].id, code: "not_together", detail: "", seats: [] };
  await tell({ ...refused, largest: 1, alternatives: [{ count: 1 }] });
  same(sent.length, 1);
  same(store.state.instead, { code: "not_together", wish: { count: 2 }, largest: 1, alternatives: [{ count: 1 }] });
  await until(() => document.getElementById("live-urgent").textContent.includes("no 2 seats"));
  hall.actions.others();
  same(store.state.instead, null);
}

// In two places, by one message: all of them or none, and then in more places.
export async function aSplitWishIsAskedForAtOnce() {
  const { hall, store, sent, tell } = await inTheHall();
  hall.actions.take({ kind: "split", wish: { count: 3, groups: 2 }, category: null, price: null });
  await tell();
  same(sent, [{ type: "best", id: sent[0].id, count: 3, groups: 2 }]);
  await tell({ type: "refused", id: "r1", code: "not_together", detail: "", seats: [], largest: 1, alternatives: [] });
  same(sent.length, 1);
  same(store.state.instead.wish, { count: 3, groups: 2 });
  await until(() => document.getElementById("live-urgent").textContent.includes("2 + 1"));
}

// The orphan rule: what would be fine is one press away.
export async function aSeatThatWouldBeLeftAloneIsOffered() {
  const { hall, store, sent, tell } = await inTheHall();
  hall.actions.pick(1);
  await tell({ type: "refused", id: "r1", code: "leaves_single_seat", detail: "", seats: [0] });
  same(store.state.instead, { code: "leaves_single_seat", seats: [1], singles: [0] });
  same(toast(store), null);
  hall.actions.take({ kind: "both", seats: [0, 1] });
  same([sent.at(-1).type, sent.at(-1).seats], ["hold", [0, 1]]);
  same(store.state.instead, null);
}

// F3: one buyer's share counts what is bought.
export async function whoHasBoughtAllIsToldSo() {
  const { hall, store, sent } = await inTheHall();
  store.dispatch({ type: "orders", reservations: [{ id: "a", status: "CONFIRMED", seats: [4, 5] }] });
  store.dispatch({ type: "mode", mode: "list" });
  hall.actions.pick(0);
  same(sent, []);
  that(toast(store).includes("2 of 2"), toast(store));
}

export async function aCategoryIsPartOfTheWish() {
  const { hall, sent } = await inTheHall();
  hall.actions.filter(0);
  await Promise.resolve();
  hall.actions.best(1);
  same(sent, [{ type: "best", id: sent[0].id, count: 1, category: "Near" }]);
}

// A wish names one category: of several the page picks by itself.
export async function bestOfSeveralCategoriesIsTriedAgainElsewhere() {
  const { hall, store, sent, tell } = await inTheHall();
  hall.actions.filter(0);
  hall.actions.filter(1);
  await Promise.resolve();
  hall.actions.best(2);
  await tell();
  const first = sent[0];
  same(first.type, "hold");
  await tell({ type: "refused", id: first.id, code: "seat_taken", detail: "", seats: [first.seats[0]] });
  same(sent.length, 2);
  that(!sent[1].seats.includes(first.seats[0]), `${sent[1].seats} without ${first.seats[0]}`);
  same(toast(store), null);
}

// An operator, or another tab, freed a seat of ours: the answer to letting it go says what is left.
export async function aSeatThatWasTakenFromUsIsAskedAbout() {
  const { hall, seats, sent, tell } = await inTheHall([0, 0, 0, 1, 0, 0]);
  await tell(held([3]));
  hall.seatsChanged(seats.apply({ epoch: 1, version: 2, changes: [[3, 0]] }));
  await until(() => sent.length === 1);
  same([sent[0].type, sent[0].seats], ["release", [3]]);
}

export async function aPlanThatDoesNotComeIsAskedForAgain() {
  const answers = [Promise.reject(new Error("lost")), Promise.resolve(new Plan(fromSeats(PLAN)))];
  answers[0].catch(() => {});
  const store = createStore(initial({ slug: "x" }));
  const hall = new Hall({ load: () => answers.shift(), board: new Board(), store, channel: { send: () => true }, newId: () => "r" });
  hall.need();
  same(answers.length, 2); // of an event that is not known yet there is no plan
  store.dispatch({ type: "event", event: { status: "open", opens_at: null, closes_at: null, max_seats: 2, currency: "KRW", plan_version: "p" } });
  hall.need();
  hall.need();
  same(answers.length, 1);
  await until(() => hall.drawn);
}

// V1: a plan that could not be drawn is asked for again: the page does not stay at "one moment" for ever.
export async function aPlanThatCannotBeDrawnIsAskedForAgain() {
  const plans = [{}];
  const { hall } = await inTheHall(undefined, plans);
  same([plans.length, hall.drawn.plan.zones.length], [0, 1]);
}

// V1: while fingers move the map nobody counts the crowd's seats; when it rests they are counted, and drawn.
export async function theCrowdsSeatsAreCountedWhenTheMapRests() {
  const { hall, seats } = await inTheHall();
  const { map } = hall.drawn;
  let rested = null;
  hall.redraw = () => (rested ??= performance.now() - map.rest.movedAt);
  map.rest.moved();
  hall.seatsChanged(seats.apply({ epoch: 1, version: 2, changes: [[0, 1]] }));
  for (const end = performance.now() + 900; performance.now() < end; ) {
    map.rest.moved();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until(() => rested !== null && map.counting === null);
  that(rested >= 250, `counted ${rested} ms after a movement`);
  same([hall.free, map.scene.sections.list.map(({ free }) => free)], [[5], [5]]);
}

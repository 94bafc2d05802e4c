import { load } from "/static/js/i18n.js";
import { isOverdue, Overdue } from "/static/js/overdue.js";
import { reduce } from "/static/js/reducer.js";
import { initial } from "/static/js/state.js";
import { timeWarning } from "/static/js/views/time_left.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same, that } from "./same.js";

const NOW = "2030-05-01T20:00:00Z";
const END = Date.parse("2030-05-01T20:05:00Z");
const OUT = { type: "outage", away: ["redis"], since: NOW, until: "2030-05-01T20:10:00Z" };
const ORDER = { type: "reservation", id: "r", status: "PAYING", seats: [4] };

/** Who is in, with a seat until END, at END + `late` milliseconds. */
const state = (late, ...more) =>
  [
    { type: "tick", local: Date.parse(NOW) },
    { type: "connection", status: "online" },
    { type: "welcome", state: "active", now: NOW },
    { type: "admitted", until: "2030-05-01T20:10:00Z", warning_seconds: 60 },
    { type: "held", id: "", seats: [4], until: new Date(END).toISOString(), fence: 7, extensions_left: 1 },
    ...more,
    { type: "tick", local: END + late },
  ].reduce(reduce, initial({ slug: "x" }));

// V3: the server says why it is over; a page that was told nothing asks, unless the clock stands or an order has its own.
export function aClockThatRanOutIsOverdueAfterTheServersTime() {
  same([isOverdue(state(1000)), isOverdue(state(3000)), isOverdue(state(3000), 4000)], [false, true, false]);
  same(isOverdue(state(60000, OUT)), false);
  same(isOverdue(state(60000, ORDER)), false);
  same(isOverdue(state(60000, { type: "connection", status: "reconnecting" })), false);
  same(isOverdue(state(60000, { type: "expired", reason: "hold" })), false);
}

export function itIsAskedNowAndThenAndLessAndLessOften() {
  let now = 0;
  let asked = 0;
  const store = { state: state(3000) };
  const overdue = new Overdue({ store, ask: () => (asked += 1), now: () => now, random: () => 0 });
  for (now of [0, 1000, 9000]) overdue.tick();
  same(asked, 1);
  for (now of [10000, 11000, 29000]) overdue.tick();
  same(asked, 2);
  for (now of [30000, 31000]) overdue.tick();
  same(asked, 3);
}

// A thousand who were let in together do not ask in one second a server that is late.
export function pagesAskOneAfterTheOther() {
  const asked = [0, 0.5].map((luck) => {
    let asks = 0;
    new Overdue({ store: { state: state(4000) }, ask: () => (asks += 1), random: () => luck }).tick();
    return asks;
  });
  same(asked, [1, 0]);
}

export async function nobodyIsAskedToFinishWhenTheTimeIsOver() {
  await load("en", "/static");
  const host = document.createElement("div");
  const said = (late) => {
    render(timeWarning(state(late), {}), host);
    return host.textContent.replace(/\s+/g, " ");
  };
  that(/less than|soon/i.test(said(-5000)) && host.querySelector("button"), said(-5000));
  that(/is over/.test(said(0)) && !host.querySelector("button"), said(0));
}

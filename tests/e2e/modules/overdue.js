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
  same([isOverdue(state(1000)), isOverdue(state(3000))], [false, true]);
  same(isOverdue(state(60000, OUT)), false);
  same(isOverdue(state(60000, ORDER)), false);
  same(isOverdue(state(60000, { type: "connection", status: "reconnecting" })), false);
  same(isOverdue(state(60000, { type: "expired", reason: "hold" })), false);
}

export function itIsAskedNowAndThen() {
  let now = 0;
  let asked = 0;
  const overdue = new Overdue({ store: { state: state(3000) }, ask: () => (asked += 1), now: () => now });
  for (now of [0, 1000, 9000]) overdue.tick();
  same(asked, 1);
  for (now of [10000, 11000]) overdue.tick();
  same(asked, 2);
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

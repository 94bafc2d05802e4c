import { reduce } from "/static/js/reducer.js";
import { learnt, sleepWatch } from "/static/js/server_clock.js";
import { initial, serverNow } from "/static/js/state.js";
import { same } from "./same.js";

const at = (milliseconds) => new Date(milliseconds).toISOString();

// R3: an answer that was on its way for long tells too early a time.
export function theLatestTimeThatWasToldIsTheServers() {
  same(learnt(0, at(1e12), 5000), 1e12 - 5000);
  same(learnt(70000, at(76000), 5000), 71000);
  same([learnt(70000, at(75050), 5000), learnt(70000, at(62000), 5000)], [70000, 70000]); // unseen; eight seconds late
  same(learnt(7200000, at(10000), 5000), 5000); // set back on the server itself
}

export function eachBeatTellsThePageTheTime() {
  const welcome = { type: "welcome", state: "active", now: at(1e12) };
  let state = [{ type: "tick", local: 1000 }, welcome, { type: "tick", local: 2000 }].reduce(reduce, initial({ slug: "x" }));
  same(serverNow(state), 1e12 + 1000);
  // The machine slept for an hour, and its performance.now() with it.
  state = reduce(state, { type: "beat", now: at(1e12 + 3600000) });
  same(serverNow(state), 1e12 + 3600000);
  same(reduce(state, { type: "beat", now: at(1e12 + 3600000) }) === state, true);
}

export function aSleepIsSeenOnce() {
  let [wall, own] = [1e12, 4000];
  const slept = sleepWatch(() => wall, () => own);
  const after = (wallToo, ownToo) => ([wall, own] = [wall + wallToo, own + ownToo]) && slept();
  same([after(1000, 1000), after(60000, 1000), after(1000, 1000)], [false, true, false]);
  same([after(-7200000, 1000), after(1000, 1001)], [true, false]); // or the clock was set
}

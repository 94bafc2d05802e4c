import { OutageWatch } from "/static/js/outage_watch.js";
import { same, until } from "./same.js";

const QUIET = { away: [], since: null, until: null };
const SINCE = "2030-01-01T00:00:00+00:00";

/** A watch over `state.answer`, and all that it said. */
function watching(state, more = {}) {
  const said = [];
  const watch = new OutageWatch({
    changed: (kind) => said.push(kind),
    ask: async () => {
      state.asked = (state.asked ?? 0) + 1;
      if (!state.answer) throw new Error("no answer");
      return state.answer;
    },
    every: 5,
    overFor: 30,
    ...more,
  });
  watch.start();
  return { watch, said };
}

// R4: what is away, that the time is being given back, that it is over; each once.
export async function anOutageIsToldFromItsBeginToItsEnd() {
  const state = { answer: QUIET };
  const { watch, said } = watching(state);
  await until(() => state.asked > 2);
  same(said, []);
  state.answer = { away: ["database", "payment"], since: SINCE, until: null };
  await until(() => said.length === 1);
  state.answer = { away: [], since: SINCE, until: null };
  await until(() => said.length === 2);
  state.answer = QUIET;
  await until(() => said.length === 4);
  same(said, ["database", "returning", "over", null]);
  watch.stop();
}

export async function whatIsAskedForAtTheEndComesBeforeTheClockGoesOn() {
  const state = { answer: { away: ["redis"], since: SINCE, until: null } };
  let free = () => {};
  const waits = new Promise((resolve) => (free = resolve));
  let asked = false;
  const { watch, said } = watching(state, { back: () => ((asked = true), waits) });
  await until(() => said.length === 1);
  state.answer = QUIET;
  await until(() => asked);
  same([watch.outage !== null, said], [true, ["redis"]]);
  free();
  await until(() => watch.outage === null);
  watch.stop();
}

export async function noAnswerIsNoNews() {
  const state = { answer: { away: ["redis"], since: SINCE, until: null } };
  const { watch, said } = watching(state);
  await until(() => said.length === 1);
  state.answer = null;
  const before = state.asked;
  await until(() => state.asked > before + 3);
  same([said, watch.outage !== null], [["redis"], true]);
  watch.stop();
  same(said, ["redis", null]);
}

import { asked, delay, doubled, mayReturn, untilAnswered } from "/static/js/backoff.js";
import { load, t } from "/static/js/i18n.js";
import { same, that } from "./same.js";

export function closeCodesSayWhetherToComeBack() {
  same([1000, 1006, 4000, 4003, 4099, 4200].map(mayReturn), [true, true, true, true, true, true]);
  same([4100, 4105, 4199].map(mayReturn), [false, false, false]);
}

export function whatIsTriedInVainIsTriedLessOften() {
  same([0, 1, 2, 3, 4, 2000].map((times) => doubled(1000, times, 10000)), [1000, 2000, 4000, 8000, 10000, 10000]);
}

export function pausesGrowAndAreBounded() {
  same([0, 1, 2, 3, 10, 60].map((n) => delay(n, () => 0)), [250, 250, 250, 250, 250, 250]);
  same([0, 1, 2, 3, 10, 60].map((n) => delay(n, () => 0.999999)), [750, 1250, 2250, 4250, 15250, 15250]);
}

// A thousand browsers that lost one server do not come back in one wave.
export function aCrowdSpreadsOut() {
  const pauses = Array.from({ length: 1000 }, () => delay(3));
  const seconds = new Set(pauses.map((pause) => Math.floor(pause / 500)));
  that(seconds.size >= 8, `spread over ${seconds.size} half seconds`);
}

export function theServersOwnPauseIsTaken() {
  same(asked("many come at once: reconnect after 7 s", () => 0), 7000);
  same(asked("many come at once: reconnect after 7 s", () => 0.5), 7500);
  same([undefined, "", "the server restarts: reconnect", "reconnect after 1000 s", "reconnect after 7 s ago"].map(asked), [
    null, null, null, null, null,
  ]);
}

export async function whatAPageCannotBeginWithoutIsAskedForAgain() {
  const pauses = [];
  let asks = 0;
  const ask = async () => {
    asks += 1;
    if (asks < 4) throw new Error("no answer");
    return "texts";
  };
  same(await untilAnswered(ask, (tried) => (pauses.push(tried), 1)), "texts");
  same([asks, pauses], [4, [0, 1, 2]]);
}

// V3: the page of an offer, of a reservation, of a draw stayed at its first picture for ever.
export async function textsThatDoNotComeAreAskedForAgain() {
  const real = globalThis.fetch;
  const answers = [() => Promise.reject(new TypeError("Failed to fetch")), async () => new Response("", { status: 502 })];
  globalThis.fetch = (...given) => (answers.shift() ?? real)(...given);
  try {
    await load("en", "/static");
  } finally {
    globalThis.fetch = real;
  }
  same([answers.length, t("seat.full", { zone: "A", row: "1", number: "2" }) === "seat.full"], [0, false]);
}

import { asked, delay, doubled, mayReturn } from "/static/js/backoff.js";
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

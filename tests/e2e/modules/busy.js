import { NoAnswer } from "/static/js/api.js";
import { Busy, gone } from "/static/js/busy.js";
import { same } from "./same.js";

const never = () => new Promise(() => {});

function button(longest) {
  const drawn = [];
  const busy = new Busy(() => drawn.push(busy.on), longest);
  const failures = [];
  const press = (work) => busy.run(work, (error) => failures.push(error));
  return { busy, drawn, failures, press };
}

export async function aSecondPressDoesNothing() {
  const { press, drawn } = button();
  const calls = [];
  let answer;
  const first = press(() => new Promise((resolve) => { answer = resolve; calls.push("first"); }));
  same(await press(() => calls.push("second")), false);
  answer();
  same([await first, calls, drawn], [true, ["first"], [true, false]]);
  same(await press(() => calls.push("third")), true);
}

export async function whateverIsThrownTheButtonIsFreeAgain() {
  const { busy, press, failures, drawn } = button();
  const now = () => { throw new TypeError("crypto.randomUUID is not a function"); };
  const later = async () => { await null; throw new NoAnswer(); };
  same([await press(now), await press(later), busy.on], [false, false, false]);
  same(failures.map((error) => error.constructor.name), ["TypeError", "NoAnswer"]);
  same(drawn, [true, false, true, false]);
}

export async function whatNeverEndsCountsAsWithoutAnAnswer() {
  const { busy, press, failures } = button(30);
  same([await press(never), busy.on], [false, false]);
  same(failures[0] instanceof NoAnswer, true);
}

export async function aSorryThatFailsLeavesTheButtonFree() {
  const busy = new Busy(() => {}, 30);
  let thrown = null;
  try {
    await busy.run(never, () => { throw new Error("the words are missing"); });
  } catch (error) {
    thrown = error.message;
  }
  same([busy.on, thrown], [false, "the words are missing"]);
}

// A navigation that does not come, or a page that comes back from the browser's cache as it was left.
export async function whoDoesNotLeaveCanPressAgain() {
  const { busy, press } = button(60000);
  const left = press(() => gone(60000));
  same(busy.on, true);
  dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
  same([await left, busy.on, await press(() => gone(20))], [true, false, true]);
}

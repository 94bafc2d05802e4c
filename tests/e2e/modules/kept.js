import { kept } from "/static/js/kept.js";
import { same } from "./same.js";

/** What was made, and how often. */
function counting() {
  let made = 0;
  return kept((of) => ({ of, made: (made += 1) }));
}

export function ofTheSameFieldsItIsMadeOnce() {
  const make = counting();
  const seats = [1, 2];
  const first = make({ seats, left: "free" });
  same(make({ seats, left: "free" }) === first, true);
  same(make({ seats, left: "gone" }).made, 2);
  same(make({ seats: [1, 2], left: "gone" }).made, 3); // another list, whatever is in it
}

export function aFieldThatComesOrGoesIsAChange() {
  const make = counting();
  same(make({ a: undefined }).made, 1);
  same(make({ b: undefined }).made, 2);
  same(make({ a: undefined, b: undefined }).made, 3);
  same(make({ a: NaN }).made, 4);
  same(make({ a: NaN }).made, 4);
}

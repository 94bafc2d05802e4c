import { areAll, costOf, stillThere } from "/static/js/giving_back.js";
import { same } from "./same.js";

const QUOTE = { possible: true, fee: 0, refund: 0, percent: 33, left: 40000, seats: [{ seat: 3, price: 15000 }, { seat: 4, price: 30001 }] };

// P7: what is said before the press is what the server keeps.
export function singleSeatsCostTheirShare() {
  same(costOf(QUOTE, new Set([3])), { fee: 4950, refund: 10050 });
  same(costOf(QUOTE, new Set([4])), { fee: 9900, refund: 20101 });
  same(costOf(QUOTE, new Set()), { fee: 0, refund: 0 });
  // An operator gave some back already: never more than is left of the charge.
  same(costOf(QUOTE, new Set([3, 4])), { fee: 13200, refund: 26800 });
  same(costOf({ ...QUOTE, percent: 0 }, new Set([3])), { fee: 0, refund: 15000 });
}

// Two of four went back, and the answer was lost: the two that are left were not chosen, and are not "all that was chosen".
export function whatIsGoneIsNoLongerChosen() {
  const left = [{ seat: 3, price: 1 }, { seat: 4, price: 1 }];
  same(areAll(new Set([1, 2]), left), false);
  same([...stillThere(new Set([1, 2]), left)], []);
  same([...stillThere(new Set([1, 4]), left)], [4]);
  same([areAll(new Set([3]), left), areAll(new Set([3, 4]), left), areAll(new Set(), [])], [false, true, true]);
}

import { reduce } from "/static/js/reducer.js";
import { initial } from "/static/js/state.js";
import { insteadOf, isUsedUp, share, sizes, wanted, ways, wishOf } from "/static/js/wish.js";
import { same } from "./same.js";

const plan = {
  categories: [
    { name: "VIP", color: "#000", price: 100 },
    { name: "R", color: "#000", price: 60 },
    { name: "House", color: "#000", price: null },
  ],
};
const event = { max_seats: 4 };
const at = (...actions) => actions.reduce(reduce, { ...initial({ slug: "x" }), event });
const bought = (...reservations) => ({ type: "orders", reservations });
const paid = (id, seats, status = "CONFIRMED") => ({ id, status, seats });

// F3: all purchases count, and what is being paid for; given back ones do not.
export const aShareIsBoughtAndHeldTogether = () => {
  same(share(at()), { most: 4, bought: 0, left: 4 });
  const held = { type: "held", id: "", seats: [7], until: null, fence: 1, extensions_left: 0 };
  const orders = bought(paid("a", [1, 2]), paid("b", [3], "CANCELLED"), paid("c", [4], "FAILED"));
  same(share(at(orders, held)), { most: 4, bought: 2, left: 1 });
  same(share(at(bought(paid("a", [1, 2, 3]), paid("b", [4], "PAYING")))), { most: 4, bought: 4, left: 0 });
};

// Seats in the basket are not bought: who holds the rest of a share is not told that it is used up.
export const aShareIsUsedUpWhenAllOfItIsBought = () => {
  const held = { type: "held", id: "", seats: [7, 8], until: null, fence: 1, extensions_left: 0 };
  const orders = bought(paid("a", [1, 2]));
  same([isUsedUp(at(held)), isUsedUp(at(orders, held)), isUsedUp(at(orders))], [false, false, false]);
  same(isUsedUp(at(bought(paid("a", [1, 2, 3, 4])))), true);
};

// News of a purchase in another tab counts once, and no more when it is given back.
export const newsOfPurchasesChangeTheShare = () => {
  const news = (status) => ({ type: "reservation", id: "a", status, reason: null, seats: [1, 2], amount: 2, currency: "KRW" });
  same(share(at(news("CONFIRMED"), news("CONFIRMED"))).bought, 2);
  same(share(at(bought(paid("a", [1, 2])), news("CANCELLED"))).bought, 0);
};

// A phase may have a limit of its own, which only its refusal tells.
export const aPhasesShareIsLearnt = () => {
  const refused = { type: "refused", id: "r", code: "too_many_seats", detail: "", seats: [], max: 2 };
  same(share(at(refused)).most, 2);
  same(wanted(at(refused)), 2);
};

export const theCountIsKeptWithinTheShare = () => {
  same(wanted(at()), 2);
  same(wanted(at({ type: "wish", wish: { count: 4 } })), 4);
  same(wanted(at({ type: "wish", wish: { count: 4 } }, bought(paid("a", [1])))), 3);
};

export const theCategoryThatIsShownIsAskedFor = () => {
  same(wishOf(at(), plan, 2), { count: 2 });
  same(wishOf(at({ type: "only", category: 1 }), plan, 2), { count: 2, category: "R" });
  same(wishOf(at({ type: "only", category: 1 }, { type: "filter", category: 0 }), plan, 2), { count: 2 });
  const wheels = { type: "wish", wish: { accessible: true } };
  same(wishOf(at(wheels), plan, 1), { count: 1, accessible: true });
};

const none = (count, largest, alternatives) => ({ code: "not_together", wish: { count, category: "VIP" }, largest, alternatives });
const R4 = { count: 4, category: "R" };

export const insteadOfSeatsTogetherThreeThingsCanBeHad = () => {
  const fewer = { count: 3, category: "VIP" };
  same(ways(none(4, 3, [R4, fewer]), plan, 4), [
    { kind: "elsewhere", wish: R4, category: "R", price: 240 },
    { kind: "split", wish: { count: 4, category: "VIP", groups: 2 }, category: "VIP", price: 400 },
    { kind: "fewer", wish: fewer, category: "VIP", price: 300 },
  ]);
  same(ways(none(4, 0, [R4]), plan, 4).map(({ kind }) => kind), ["elsewhere"]);
};

export const groupsAreOfNearlyOneSize = () => {
  const split = (count, largest) => sizes(ways(none(count, largest, []), plan, 9)[0].wish);
  same(split(5, 3), [3, 2]);
  same(split(5, 4), [3, 2]);
  same(split(5, 2), [2, 2, 1]);
  same(split(8, 3), [3, 3, 2]);
};

export const whereFewerAreFreeNothingIsSplit = () => {
  const kinds = (free) => ways(none(4, 1, []), plan, 4, free).map(({ kind }) => kind);
  same([kinds([3, 9, 0]), kinds([4, 0, 0]), kinds([])], [[], ["split"], ["split"]]);
};

// The server looks for so many at once, and no more.
export const inMoreThanEightGroupsNothingIsSplit = () => {
  const split = (count, largest) => ways(none(count, largest, []), plan, 20).map(({ wish }) => wish.groups);
  same([split(16, 2), split(17, 2)], [[8], []]);
};

// Somebody was quicker, or it never was there: what failed is not offered again.
export const whatCouldNotBeHadInGroupsIsOfferedInMoreOfThem = () => {
  const gone = (groups, largest) => ways({ ...none(4, largest, []), wish: { count: 4, groups } }, plan, 4);
  same(gone(2, 2).map(({ wish }) => sizes(wish)), [[2, 1, 1]]);
  same(gone(2, 1).map(({ wish }) => sizes(wish)), [[1, 1, 1, 1]]);
  same(gone(4, 1), []);
};

export const aSeatLeftAloneIsTakenAsWellOrInstead = () => {
  const single = (seats, singles) => ({ code: "leaves_single_seat", seats, singles });
  same(ways(single([5], [4]), plan, 2), [{ kind: "both", seats: [4, 5] }, { kind: "rather", seats: [4] }]);
  same(ways(single([5], [4]), plan, 1), [{ kind: "rather", seats: [4] }]); // one buyer's share ends there
  same(ways(single([5], [4, 6]), plan, 4).map(({ seats }) => seats), [[4, 5, 6], [4], [6]]);
};

export const otherRefusalsLeaveNothingToChoose = () => {
  const refused = (code) => ({ type: "refused", id: "r", code, detail: "", seats: [1] });
  same(insteadOf({ kind: "hold", seats: [1] }, refused("seat_taken")), null);
  same(insteadOf(undefined, refused("leaves_single_seat")), null);
};

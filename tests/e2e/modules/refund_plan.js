import { learnCurrencies } from "/static/js/i18n.js";
import { plan } from "/static/js/ops/refund_plan.js";
import { feeFaults, feeRows, feesOf, feesText } from "/static/js/ops/sale_fields.js";
import { same } from "./same.js";

learnCurrencies({ KRW: 0, EUR: 2 });

const ACCOUNT = {
  seats: [3, 4, 5].map((ordinal) => ({ ordinal, zone: "A", row: "1", number: String(ordinal), category: "S", price: 1500, live: ordinal !== 5 })),
  amount: 4500,
  refunded: 1500,
  currency: "EUR",
};
const WISH = { way: "all", seats: [], release: true, amount: "", fee: "", reason: "ill" };
const of = (changes, account = {}) => plan({ ...ACCOUNT, ...account }, { ...WISH, ...changes });

export function everythingIsWhatTheLiveSeatsCostLessTheFee() {
  same([of({}).back, of({}).kept], [3000, 0]);
  same([of({ fee: "5" }).back, of({ fee: "5" }).kept], [2500, 500]);
  // A fee is never more than what goes back, and what was given back already is not given back again.
  same([of({ fee: "99" }).back, of({ fee: "99" }).kept], [0, 3000]);
  same(of({}, { refunded: 4000 }).back, 500);
  same(of({ fee: "5" }).body, { reason: "ill", refunded_before: 1500, release: true, fee: 500 });
}

export function singleSeatsAreNamed() {
  same(of({ way: "seats", seats: [4] }).back, 1500);
  same(of({ way: "seats", seats: [4] }).body, { reason: "ill", refunded_before: 1500, release: true, seats: [4] });
  same([...of({ way: "seats" }).wrong.keys()], ["seats"]);
  same(of({ way: "seats", seats: [4], release: false }).body.release, false);
}

export function anAmountIsAtMostWhatIsLeft() {
  const amount = (text, more = {}) => of({ way: "amount", release: false, amount: text, ...more });
  same(amount("12.50").body, { reason: "ill", refunded_before: 1500, release: false, amount: 1250 });
  same(["", "0", "30.01", "-1", "x"].map((text) => [...amount(text).wrong.keys()].join()), Array(5).fill("refund_amount"));
  same([...amount("30").wrong.keys()], []);
  // With seats on sale again, which ones has to be said.
  same([...amount("1", { release: true }).wrong.keys()], ["seats"]);
  same(amount("1", { release: true, seats: [3] }).body.seats, [3]);
}

export function aReasonIsWanted() {
  same(["", "  ", "x".repeat(201)].map((reason) => [...of({ reason }).wrong.keys()].join()), Array(3).fill("refund_reason"));
  same([...of({ fee: "x" }).wrong.keys()], ["refund_fee"]);
}

export function feesAreReadAsTheServerReadsThem() {
  const table = [{ hours: 48, percent: 0 }, { hours: 0.5, percent: 100 }];
  same(feesText(table), "48=0\n0.5=100");
  same(feesOf(feesText(table)), table);
  same(feeRows(""), []);
  same([...feeFaults("48=0\n0.5=100\n8784=3")], []);
  same([...feeFaults("48=0\n48.0=1")], ["1.hours"]);
  same([...feeFaults("8785=0\n-1=0\nx=0\n=0")], ["0.hours", "1.hours", "2.hours", "3.hours"]);
  same([...feeFaults("1=101\n2=-1\n3=1.5\n4=")], ["0.percent", "1.percent", "2.percent", "3.percent"]);
}

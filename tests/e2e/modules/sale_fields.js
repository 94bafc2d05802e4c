import { NoAnswer, Refusal } from "/static/js/api.js";
import { faults, fieldOf, focusOf, focusText, minorOf, momentOf, momentsOf, refused, slugOf } from "/static/js/ops/sale_fields.js";
import { knownCurrencies, learnCurrencies, load, money } from "/static/js/i18n.js";
import { same } from "./same.js";

learnCurrencies({ KWD: 3, KRW: 0, EUR: 2, BHD: 3, HUF: 2 });

export function aPriceIsReadInTheCurrencysMinorUnit() {
  const read = (text, currency) => String(minorOf(text, currency));
  same(["15000", "15,000", " 0 "].map((text) => read(text, "KRW")), ["15000", "15000", "0"]);
  same(["12", "12.5", "1,234.56"].map((text) => read(text, "EUR")), ["1200", "1250", "123456"]);
  same([read("1.234", "BHD"), read("5000", "HUF")], ["1234", "500000"]);
}

export function whatIsNoPriceIsNone() {
  const none = ["", "-1", "12.5.1", "1e3", "15,00", "free", "₩15", "0x10", "12.345", "99999999999999"];
  same(none.filter((text) => !Number.isNaN(minorOf(text, "EUR"))), []);
  same(Number.isNaN(minorOf("12.5", "KRW")), true);
  same(Number.isNaN(minorOf("12", "XQQ")), true);
}

export function anAddressIsMadeOfAName() {
  same(["Gala", "  Nacht der Bücher 2026! ", "Großer Saal", "공연", "--a--"].map(slugOf), ["gala", "nacht-der-bucher-2026", "grosser-saal", "", "a"]);
  same(slugOf(`${"x".repeat(63)} y`), "x".repeat(63));
}

export function aTimeIsReadAndShownInTheEventsZone() {
  const moment = momentOf("2026-10-10T19:30", "Europe/Berlin");
  same([moment, fieldOf(moment, "Europe/Berlin"), fieldOf(moment, "Asia/Seoul")], ["2026-10-10T17:30:00.000Z", "2026-10-10T19:30", "2026-10-11T02:30"]);
  same([momentOf("", "UTC"), fieldOf(null, "UTC")], [null, ""]);
  same([momentOf("2030-05-01T20:00", "Pacific/Apia"), momentOf("2030-05-01T20:00", "Asia/Kathmandu")], ["2030-05-01T07:00:00.000Z", "2030-05-01T14:15:00.000Z"]);
}

// Clocks go from 02:00 to 03:00 in spring, and from 03:00 back to 02:00 in autumn.
export function aTimeThatDoesNotExistOrComesTwiceIsAskedAbout() {
  const zone = "Europe/Berlin";
  const of = (value) => momentsOf(value, zone).map((moment) => moment.toISOString());
  same([of("2027-03-28T02:30"), of("2027-03-28T03:00"), of("2027-10-31T02:30")], [[], ["2027-03-28T01:00:00.000Z"], ["2027-10-31T00:30:00.000Z", "2027-10-31T01:30:00.000Z"]]);
  const asked = (value, chosen) => faults({ opens_at: value, time_zone: zone }, { chosen }).get("opens_at") ?? null;
  same([asked("2027-03-28T02:30"), asked("2027-10-31T02:30"), asked("2027-10-31T02:30", new Map([["opens_at", true]]))], ["time_left_out", "time_twice", null]);
  same([momentOf("2027-10-31T02:30", zone, false), momentOf("2027-10-31T02:30", zone, true)], of("2027-10-31T02:30"));
  same(faults({ opens_at: "2027-03-28T02:30", time_zone: "Mars/Base" }).get("time_zone"), "time_zone");
}

export function allThatIsWrongIsToldAtOnce() {
  const fields = {
    name: " ", slug: "Big Night", currency: "KRW", opens_at: "2030-05-01T20:00", closes_at: "2030-05-01T20:00", time_zone: "UTC",
    active_limit: "0", hold_seconds: "86401", max_seats: "1.5",
  };
  const wrong = faults(fields, { categories: ["VIP", "Box"], prices: { VIP: "1", Box: "x" }, incomplete: new Set(["starts_at"]) });
  same([...wrong.keys()].sort(), [
    "active_limit", "closes_at", "hold_seconds", "max_seats", "name", "prices.Box", "slug", "starts_at",
  ]);
  same(faults({ name: "Gala", hold_seconds: "300" }).size, 0);
}

export function aCategoryWithoutAPriceIsNotForSaleUnlessAllAre() {
  const of = (prices) => [...faults({ currency: "KRW" }, { categories: ["VIP", "Box"], prices }).keys()].filter((at) => at.startsWith("prices."));
  same(of({ VIP: "1", Box: " " }), []);
  same(of({}), ["prices.VIP", "prices.Box"]);
}

export function aPriceNamesTheRuleOfItsCurrency() {
  const told = (price, currency) => faults({ currency }, { categories: ["VIP"], prices: { VIP: price } }).get("prices.VIP") ?? null;
  same(told("12.5", "KRW"), "price_whole:KRW");
  same(told("12.345", "EUR"), "price_digits:EUR:2");
  same(told("1.2345", "KWD"), "price_digits:KWD:3");
  same(told("9999999999999", "KRW").split(":")[0], "price_large");
  // A comma in the wrong place is no large price.
  same([told("1,5000", "KRW"), told("1,50", "EUR")], ["price_whole:KRW", "price_digits:EUR:2"]);
  same(told("12.50", "EUR"), null);
}

export function aLabelIsANameAndNoOtherCategorys() {
  const told = (labels) => [...faults({ currency: "KRW" }, { categories: ["VIP", "Box"], prices: { VIP: "1", Box: "1" }, labels })].filter(([at]) => at.startsWith("labels."));
  same(told({ VIP: "Stalls", Box: " " }), []);
  same(told({ VIP: "Box" }), [["labels.VIP", "label_twice"]]);
  same(told({ VIP: "a\u202eb" }), [["labels.VIP", "character:U+202E:2"]]);
}

export function whatTheServerSaysIsPutAtItsField() {
  const said = (code, more = {}) => new Refusal(422, { code, ...more }, null);
  const error = said("invalid_request", { errors: [{ at: "prices.VIP" }, { at: "opens_at" }, { at: "other" }] });
  same([...refused(error, new Set(["prices.VIP", "opens_at"]))], [["prices.VIP", "price"], ["opens_at", "time"]]);
  same([...refused(said("event_exists"), new Set())], [["slug", "taken"]]);
  same(refused(said("store_unavailable"), new Set(["name"])), null);
  same(refused(new NoAnswer("offline"), new Set(["name"])), null);
}

export const aFocusIsAPlaceOrNothing = () => {
  same(focusOf(" 300, -650.5 "), [300, -650.5]);
  same(focusOf("300;650"), [300, 650]);
  same(focusOf(" "), null);
  for (const text of ["300", "300,", "a, b", "1, 2, 3", "99999999, 0", "1e3, 0"]) same(focusOf(text), undefined);
  same([focusText([300, 650]), focusText(null)], ["300, 650", ""]);
  same([...faults({ focus: "here", companions: "4" })], [["companions", "companions"], ["focus", "focus"]]);
  same([...faults({ focus: "", companions: "0" })], []);
};

// Its sale is kept, and looked at; a new one may not have it.
export async function theMoneyOfACurrencyThatWasWithdrawnIsWritten() {
  await load("en", "/static");
  learnCurrencies({}, 2);
  same(money(12345, "HRK").includes("123.45"), true);
  same([knownCurrencies().includes("HRK"), Number.isNaN(minorOf("5", "HRK"))], [false, true]);
}

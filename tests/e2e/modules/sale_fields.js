import { NoAnswer, Refusal } from "/static/js/api.js";
import { faults, fieldOf, minorOf, momentOf, refused, slugOf } from "/static/js/ops/sale_fields.js";
import { learnCurrencies } from "/static/js/i18n.js";
import { same } from "./same.js";

learnCurrencies({ KRW: 0, EUR: 2, BHD: 3, HUF: 2 });

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

export function aTimeComesBackAsItWas() {
  const moment = momentOf("2030-05-01T20:00");
  same(fieldOf(moment), "2030-05-01T20:00");
  same([momentOf(""), fieldOf(null)], [null, ""]);
}

export function allThatIsWrongIsToldAtOnce() {
  const fields = {
    name: " ", slug: "Big Night", currency: "KRW", opens_at: "2030-05-01T20:00", closes_at: "2030-05-01T20:00",
    active_limit: "0", hold_seconds: "86401", max_seats: "1.5",
  };
  const wrong = faults(fields, { categories: ["VIP", "Box"], prices: { VIP: "1" }, incomplete: new Set(["starts_at"]) });
  same([...wrong.keys()].sort(), [
    "active_limit", "closes_at", "hold_seconds", "max_seats", "name", "prices.Box", "slug", "starts_at",
  ]);
  same(faults({ name: "Gala", hold_seconds: "300" }).size, 0);
}

export function whatTheServerSaysIsPutAtItsField() {
  const said = (code, more = {}) => new Refusal(422, { code, ...more }, null);
  const error = said("invalid_request", { errors: [{ at: "prices.VIP" }, { at: "opens_at" }, { at: "other" }] });
  same([...refused(error, new Set(["prices.VIP", "opens_at"]))], [["prices.VIP", "price"], ["opens_at", "time"]]);
  same([...refused(said("event_exists"), new Set())], [["slug", "taken"]]);
  same(refused(said("store_unavailable"), new Set(["name"])), null);
  same(refused(new NoAnswer("offline"), new Set(["name"])), null);
}

import { learnCurrencies, use } from "/static/js/i18n.js";
import { Plan } from "/static/js/plan.js";
import { fromSeats } from "/static/js/plan_columns.js";
import { reduce } from "/static/js/reducer.js";
import { initial } from "/static/js/state.js";
import { hall } from "/static/js/views/hall.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same, that } from "./same.js";

const at = (milliseconds) => new Date(milliseconds).toISOString();
const EVENT = { name: "Night", status: "open", opens_at: null, closes_at: null, max_seats: 2, currency: "KRW", hold_seconds: 300, phases: [] };
const INSIDE = [
  { type: "tick", local: 1000 },
  { type: "event", event: EVENT },
  { type: "welcome", state: "active", now: at(1000) },
  { type: "admitted", until: at(600000), warning_seconds: 60 },
  { type: "board" },
];
const HELD = { type: "held", id: "", seats: [1, 2], until: at(301000), fence: 7, extensions_left: 1 };
const SEATS = Array.from({ length: 6 }, (_, i) => ({
  ordinal: i, guid: `${i}`, zone: "A", row: "1", number: `${i + 1}`, category: "Near", x: i * 20, y: 0, r: 8, accessible: false,
}));
const PLAN = {
  name: "", width: 100, height: 20, zones: ["A"], areas: [], row_labels: [], seats: SEATS,
  categories: [{ name: "Near", color: "#00aa00", price: 2 }],
};

/** The hall's view of a visitor who is in; `asked` counts what was put together anew. */
async function seen(...actions) {
  learnCurrencies({ KRW: 0 });
  await use("en", await (await fetch("/static/i18n/en.json")).json());
  const box = document.createElement("div");
  const made = { asked: 0 };
  const parts = {
    act: {}, captcha: null, returns: null, offered: false, plan: new Plan(fromSeats(PLAN)), own: new Set(), asked: new Set(),
    seatMap: { element: document.createElement("div") }, seatList: { element: document.createElement("div") },
    swatches: { get: () => ((made.asked += 1), "") }, free: [4], board: { ready: true, counts: [4, 2, 0, 0] }, wishHeight: 0,
  };
  const state = [...INSIDE, ...actions].reduce(reduce, initial({ slug: "x" }));
  const draw = (now, more = {}) => render(hall({ ...parts, ...more, state: now }), box);
  const text = (selector) => box.querySelector(selector)?.textContent.trim() ?? null;
  return { box, made, state, draw, text };
}

// V1: what no clock moves is not put together again each second, in the middle of a pan.
export async function aSecondDrawsTheClockAndNothingElse() {
  const { made, state, draw, text } = await seen(HELD);
  draw(state);
  same(text(".hold-clock [role=timer]"), "5:00");
  const before = made.asked;
  that(before > 0, "the legend is drawn");
  const later = reduce(state, { type: "tick", local: 2000 });
  draw(later);
  same([text(".hold-clock [role=timer]"), made.asked], ["4:59", before]);
  draw(later, { free: [1] });
  that(made.asked > before, "what has changed is drawn");
  that(text(".chip-free").includes("1"), text(".chip-free"));
}

export async function theEndOfTheTimeIsDrawnWithTheSecondThatBringsIt() {
  const { state, draw, text } = await seen(HELD);
  draw(state);
  same(text(".time-warning"), null);
  draw(reduce(state, { type: "tick", local: 245000 }));
  that(text("[data-testid=hold-warning]"), "it is nearly over");
  draw(reduce(state, { type: "tick", local: 302000 }));
  that(text("[data-testid=time-over]"), "it is over");
}

// V1: a phone whose basket is closed shows what became of the seats as well, and nothing else says it again.
export async function whatBecameOfTheSeatsIsSaidOutsideOfTheSheet() {
  const { box, state, draw, text } = await seen(HELD);
  const told = () => [...box.querySelectorAll("p")].filter((one) => one.textContent.includes("ran out"));
  draw(state);
  same(told(), []);
  const lost = reduce(state, { type: "expired", reason: "hold" });
  draw(lost);
  same([told().length, told()[0].closest(".side")], [1, null]);
  draw(reduce(lost, { type: "sent", id: "a", kind: "hold", seats: [3] }));
  same(told(), []);
  draw(reduce(lost, { ...HELD, extensions_left: 0 }));
  same([told(), text(".hold-clock [role=timer]")], [[], "5:00"]);
}

const REFUSED = [
  { type: "sent", id: "b", kind: "best", seats: [], wish: { count: 2 } },
  { type: "refused", id: "b", code: "not_together", seats: [], largest: 1, alternatives: [{ count: 1, category: "Near" }] },
];

// V3: nothing can be had instead of what was refused when nothing is left.
export async function whatCanBeHadInsteadGoesWithTheLastSeats() {
  const { box, state, draw } = await seen(...REFUSED);
  const boxes = () => [...box.querySelectorAll(".wish")].map((one) => one.dataset.testid);
  draw(state);
  same(boxes(), ["instead"]);
  draw(state, { board: { ready: true, counts: [0, 4, 2, 0] } });
  same(boxes(), ["all-held"]);
  draw(state, { board: { ready: true, counts: [0, 0, 6, 0] } });
  same(boxes(), ["sold-out"]);
}

// V3: one seat is not beside another one, also in a language that has no singular.
export async function oneSeatIsNotTogetherWithAnother() {
  const { box, state, draw } = await seen(...REFUSED);
  await use("ko", await (await fetch("/static/i18n/ko.json")).json());
  draw(state);
  const said = [...box.querySelectorAll(".wish-title, [data-way]")].map((one) => one.textContent.trim());
  draw([{ ...REFUSED[0], wish: { count: 1, category: "Near" } }, { ...REFUSED[1], largest: 0, alternatives: [] }].reduce(reduce, state));
  said.push(box.querySelector(".wish-title").textContent.trim());
  await use("en", await (await fetch("/static/i18n/en.json")).json());
  const [none, split, one, noneOfOne] = said;
  that(none.includes("나란한 좌석 2석") && split.startsWith("1 + 1"), `${none}, ${split}`);
  that(one.startsWith("1석") && !noneOfOne.includes("나란한") && noneOfOne.includes("Near"), `${one}, ${noneOfOne}`);
}

// V3: who has bought a whole share is told that, and not to wait for what comes back.
export async function aShareThatIsUsedUpIsTheOneBox() {
  const orders = { type: "orders", reservations: [{ id: "a", status: "CONFIRMED", seats: [1, 2], created_at: at(0) }] };
  const buyer = await seen(orders);
  const other = await seen();
  const boxes = ({ box }) => [...box.querySelectorAll(".wish")].map((one) => one.dataset.testid);
  for (const [counts, said] of [[[0, 0, 6, 0], "sold-out"], [[0, 4, 2, 0], "all-held"]]) {
    const board = { ready: true, counts };
    buyer.draw(buyer.state, { board });
    other.draw(other.state, { board });
    same([boxes(buyer), boxes(other)], [["used-up"], [said]]);
    same([buyer.text(".sheet-time"), buyer.text(".basket-empty")], ["2 of 2 seats bought", null]);
  }
}

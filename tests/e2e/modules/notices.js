import { learnCurrencies, use } from "/static/js/i18n.js";
import { reduce } from "/static/js/reducer.js";
import { initial } from "/static/js/state.js";
import { codeForm } from "/static/js/views/access_code.js";
import { closed, out } from "/static/js/views/notices.js";
import { confirmed, failed } from "/static/js/views/result.js";
import { before } from "/static/js/views/waiting.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same, that } from "./same.js";

const at = (milliseconds) => new Date(milliseconds).toISOString();
const EVENT = {
  name: "Night", status: "open", paused: false, cancelled: false, opens_at: null, closes_at: null, gathers_at: null,
  max_seats: 4, currency: "KRW", session_seconds: 600, phases: [], time_zone: "UTC",
};
const BOARD = { ready: true, counts: [4, 0, 0, 0] };
const entered = { type: "entered", receipt: "r", draw_at: at(9000), ticket: "T", entered: 1 };
const told = (status, reason) => ({ type: "reservation", id: "r", status, reason, asked: true });

/** What a view says, and the addresses and buttons of its actions, after these actions. */
async function seen(view, event, ...actions) {
  learnCurrencies({ KRW: 0 });
  await use("en", await (await fetch("/static/i18n/en.json")).json());
  const box = document.createElement("div");
  const told = [{ type: "tick", local: 1000 }, { type: "event", event: { ...EVENT, ...event } }, ...actions];
  const state = told.reduce(reduce, initial({ slug: "x" }));
  const model = { act: {}, plan: null, board: BOARD, state };
  const draw = (more = {}) => {
    render(view({ ...model, ...more }), box);
    return box.textContent.replace(/\s+/g, " ");
  };
  return { text: draw(), draw, ways: [...box.querySelectorAll(".actions > *")].map((one) => one.getAttribute("href")), box };
}

// V3: what was paid for stays, whatever ends the turn.
export async function whoIsOutAfterAPurchaseIsTakenToTheTickets() {
  const inside = [{ type: "admitted", until: at(600000) }, told("CONFIRMED"), { type: "dismiss" }];
  for (const reason of ["heartbeat", "session", "removed"]) {
    const { text, ways } = await seen(out, {}, ...inside, { type: "expired", reason });
    same([reason, ways[0]], [reason, "/tickets"]);
    that(!/its seats|and nothing was charged\./.test(text), text);
  }
  const { ways } = await seen(out, {}, inside[0], { type: "expired", reason: "heartbeat" });
  same(ways, [null]);
}

// V3: before the opening there is no queue at whose end one would stand.
export async function whoLeavesBeforeTheDrawMayComeBackAndLosesNothing() {
  const left = { type: "expired", reason: "left" };
  const early = await seen(out, { status: "before", opens_at: at(9000), gathers_at: at(0) }, entered, left);
  that(early.text.includes("lose nothing") && !early.text.includes("end of the queue"), early.text);
  const late = await seen(out, {}, { type: "queue", number: 1, ahead: 0, waiting: 1 }, left);
  that(late.text.includes("end of the queue"), late.text);
}

// V3, P7: a ticket is not valid for what does not take place.
export async function anEventThatDoesNotTakePlaceIsToldAsThat() {
  const over = await seen(closed, { status: "closed" });
  that(over.text.includes("Tickets that are paid for stay valid"), over.text);
  const off = await seen(closed, { status: "closed", cancelled: true });
  that(off.text.includes("does not take place") && off.text.includes("goes back"), off.text);
  that(!off.text.includes("valid"), off.text);
  same([over.ways, off.ways], [["/"], ["/"]]);
}

// V3: what may have been charged is not said not to have been.
export async function anOutcomeThatIsNotKnownIsNotCalledUncharged() {
  const inside = { type: "admitted", until: at(600000) };
  const { text } = await seen(failed, {}, inside, told("FAILED", "payment_unknown_cancelled"));
  that(text.includes("on its way back") && text.includes("seats are free again"), text);
  that(!text.includes("You were not charged"), text);
}

// V3: no button that joins a sale which is over.
export async function whatFailedInASaleThatIsOverLeadsElsewhere() {
  const news = told("CANCELLED", "event_cancelled");
  same((await seen(failed, { status: "closed", cancelled: true }, news)).ways, ["/"]);
  same((await seen(failed, {}, { type: "admitted", until: at(600000) }, news)).ways, [null]);
}

export async function noMoreSeatsAreOfferedWhereThereAreNone() {
  const { draw, text, box } = await seen(confirmed, {}, { type: "admitted", until: at(600000) }, told("CONFIRMED"));
  that(text.includes("Pick more seats") && text.includes("You can for another"), text);
  const none = draw({ board: { ready: true, counts: [0, 0, 4, 0] } });
  that(!none.includes("Pick more seats") && none.includes("To the sale"), none);
  that(box.querySelector(".more span").ariaHidden === "true", "for how long is said of nothing");
}

// V3: where no opening is set there is no countdown to wait for.
export async function aSaleWithoutAnOpeningNamesNoCountdown() {
  const unset = await seen(before, { status: "before" });
  that(!unset.text.includes("countdown") && unset.text.includes("When the sale opens"), unset.text);
  const set = await seen(before, { status: "before", opens_at: at(90000) });
  that(set.text.includes("When the countdown ends"), set.text);
}

// F7, R3: whatever this machine's clock says, which is long past that.
export async function thePartForAllIsToldUntilItIsOpenByTheServersClock() {
  const phase = (needs_code, opens_at) => ({ name: "p", needs_code, opens_at, closes_at: null });
  const phases = [phase(true, at(0)), phase(false, at(9000))];
  const { text, box } = await seen(codeForm, { phases });
  that(box.querySelector(".quiet")?.textContent.includes("1970"), text);
  const { box: later } = await seen(codeForm, { phases }, { type: "beat", now: at(10000) });
  same(later.querySelector(".quiet"), null);
}

import { codeCounts } from "/static/js/access_code.js";
import { mayHold, mayPay, saying } from "/static/js/outage.js";
import { reduce } from "/static/js/reducer.js";
import { initial, isKeptOut, mayJoin, opensAt, pendingSeats, saleState, secondsLeft, stage, timeless, turnSecondsLeft, whileLost } from "/static/js/state.js";
import { same } from "./same.js";

const at = (milliseconds) => new Date(milliseconds).toISOString();
const run = (...actions) => actions.reduce(reduce, initial({ slug: "x" }));
const EVENT = { status: "open", opens_at: null, closes_at: null, max_seats: 4 };
const OPEN = [{ type: "tick", local: 1000 }, { type: "event", event: EVENT }];
const WELCOME = { type: "welcome", state: "active", now: at(1000) };
const ADMITTED = { type: "admitted", until: at(600000), warning_seconds: 60 };
const INSIDE = [...OPEN, WELCOME, ADMITTED, { type: "board" }];
const HELD = { type: "held", id: "", seats: [4, 2], until: at(300000), fence: 7, extensions_left: 1 };
const CHECKOUT = { type: "step", step: "checkout" };
const told = (id, status, more = {}) => ({ type: "reservation", id, status, ...more });

// What is drawn of it is not drawn again (views/hall.js).
export function aSecondChangesNothingButTheTime() {
  const state = run(...INSIDE, HELD);
  const first = timeless(state);
  const second = timeless(reduce(state, { type: "tick", local: 2000 }));
  const third = timeless(reduce(state, { type: "sheet" }));
  same([second === first, third === first, "local" in first], [true, false, false]);
}

export function theWayThroughTheSale() {
  const story = [
    ...OPEN,
    { type: "welcome", state: "none", now: at(1000) },
    { type: "queue", number: 9, ahead: 3, waiting: 8, wait: { low: 45, high: 81 }, ticket: "T" },
    ADMITTED,
    HELD,
    CHECKOUT,
    { type: "submitting" },
    told("r", "PAYING"),
    told("r", "CONFIRMED"),
    told("r", "PAYING"),
    { type: "dismiss" },
    { type: "expired", reason: "session" },
    { type: "rejoin" },
  ];
  let state = initial({ slug: "x" });
  const stages = story.map((action) => stage((state = reduce(state, action))));
  same(stages, [
    "loading", "joining", "joining", "waiting", "map", "map", "checkout", "checkout",
    "paying", "confirmed", "confirmed", "map", "out", "joining",
  ]);
}

export function theQueueRemembersWhereItBegan() {
  const place = (ahead) => ({ type: "queue", number: 9, ahead, waiting: 20, wait: null });
  same(run(...OPEN, place(8), place(5)).queue.firstAhead, 8);
  same(run(...OPEN, place(8), place(11)).queue.firstAhead, 11);
  same(run(...OPEN, { ...place(3), ticket: "T" }, place(2)).ticket, "T");
}

// A reconnect in the middle of typing an address does not flicker back to the map.
export function aReconnectKeepsTheBasketUntilTheServerHasTold() {
  let state = run(...INSIDE, HELD, CHECKOUT);
  for (const message of [WELCOME, ADMITTED, HELD, { type: "board" }]) {
    state = reduce(state, message);
    same([stage(state), state.basket.seats], ["checkout", [2, 4]]);
  }
  const gone = run(...INSIDE, HELD, CHECKOUT, WELCOME, ADMITTED, { type: "board" });
  same([stage(gone), gone.basket.seats], ["map", []]);
}

export function requestsArePendingUntilAnswered() {
  const sent = (id, seat) => ({ type: "sent", id, kind: "hold", seats: [seat] });
  const asked = run(...INSIDE, sent("a", 4), sent("b", 5));
  same([...pendingSeats(asked, "hold")], [4, 5]);
  const answered = reduce(asked, { ...HELD, id: "a", seats: [4] });
  same([...pendingSeats(answered, "hold")], [5]);
  const refused = reduce(answered, { type: "refused", id: "b", code: "seat_taken", seats: [5] });
  same([[...pendingSeats(refused, "hold")], refused.refusal.seats], [[], [5]]);
  const broken = reduce(answered, { type: "problem", id: "b", code: "store_unavailable" });
  same([[...pendingSeats(broken, "hold")], broken.refusal.code], [[], "store_unavailable"]);
}

export function theSameRefusalTwiceIsToldTwice() {
  const refused = { type: "refused", id: "b", code: "seat_taken", seats: [5] };
  same(run(...INSIDE, refused, refused).refusal.count, 2);
}

export function anotherPurchaseDoesNotTakeThePageOver() {
  same(stage(run(...INSIDE, told("old", "CANCELLED"))), "map");
  const mine = run(...INSIDE, { type: "submitting" }, told("new", "FAILED", { reason: "declined" }), told("new", "PAYING"));
  same([stage(mine), mine.reservation.reason], ["failed", "declined"]);
}

export function aBasketThatRanOutEndsTheCheckout() {
  const state = run(...INSIDE, HELD, CHECKOUT, { type: "expired", reason: "hold" });
  same([stage(state), state.basketExpired, state.basket.seats], ["map", true, []]);
  const late = run(...INSIDE, HELD, CHECKOUT, { type: "submitting" }, { type: "submit-failed", code: "hold_expired" });
  same([stage(late), late.basketExpired], ["map", true]);
  const down = run(...INSIDE, HELD, CHECKOUT, { type: "submitting" }, { type: "submit-failed", code: "payment_unavailable" });
  same([stage(down), down.checkout.code, down.basket.seats], ["checkout", "payment_unavailable", [2, 4]]);
}

export function theServerOpensTheSaleAndNoClockOfThisMachine() {
  // Who asks first at an opening is not decided by timers: everybody is told at that moment.
  const event = { ...EVENT, status: "before", opens_at: at(50000), closes_at: at(90000), gathers_at: null };
  const waits = run({ type: "tick", local: 0 }, { type: "event", event }, { type: "beat", now: at(60000) });
  same([saleState(waits), mayJoin(waits)], ["before", false]);
  const told = reduce(waits, { ...event, type: "sale", status: "open", paused: false, entered: null });
  same([saleState(told), mayJoin(told)], ["open", true]);
}

const GATHERS = { ...EVENT, status: "before", opens_at: at(50000), closes_at: null, gathers_at: at(20000) };
const ENTERED = { type: "entered", receipt: "ab".repeat(32), salt: "cd".repeat(16), entered: 3, draw_at: at(50000), ticket: "T" };

export function peopleGatherBeforeTheOpeningAndThePlaceComesByItself() {
  const early = run({ type: "tick", local: 0 }, { type: "event", event: GATHERS }, { type: "beat", now: at(19000) });
  same([stage(early), mayJoin(early)], ["before", false]);
  const gathers = reduce(early, { type: "beat", now: at(20000) });
  same([stage(gathers), mayJoin(gathers)], ["before", true]);
  // Who leaves then is not drawn, and is shown the way back.
  same([stage({ ...gathers, presence: "out" }), stage({ ...early, presence: "out" })], ["out", "before"]);
  const entered = reduce(gathers, ENTERED);
  same([stage(entered), entered.gathered, entered.ticket, entered.entry.drawAt], ["gathering", 3, "T", 50000]);
  const more = reduce(entered, { ...GATHERS, type: "sale", paused: false, entered: 9 });
  same([stage(more), more.gathered], ["gathering", 9]);
  const opened = reduce(more, { ...GATHERS, type: "sale", status: "open", gathers_at: null, paused: false, entered: null });
  same(stage(opened), "gathering", "until the order is drawn");
  const drawn = reduce(opened, { type: "queue", number: 7, ahead: 6, waiting: 9, wait: null, ticket: "N" });
  same([stage(drawn), drawn.queue.ahead, drawn.ticket, drawn.entry.receipt], ["waiting", 6, "N", ENTERED.receipt]);
}

export function silenceInThePreQueueCostsTheEntryAndTheTicketBringsItBack() {
  const silent = run({ type: "event", event: GATHERS }, ENTERED, { type: "expired", reason: "heartbeat" });
  same([silent.presence, silent.ticket], ["joining", "T"]);
}

export function timesCloseTheSaleByTheServersClock() {
  const event = { ...EVENT, status: "open", opens_at: at(50000), closes_at: at(90000) };
  const states = [0, 89000, 90000].map((now) =>
    saleState(run({ type: "tick", local: 0 }, { type: "event", event }, { type: "beat", now: at(now) })),
  );
  same(states, ["open", "open", "closed"]);
}

export function countdownsFollowTheServersClock() {
  // This machine is a minute slow.
  const state = run({ type: "tick", local: 0 }, { type: "welcome", state: "none", now: at(60000) });
  same(secondsLeft(state, 90000), 30);
  same(secondsLeft(reduce(state, { type: "tick", local: 40000 }), 90000), 0);
}

export function whoIsInWhenTheSaleClosesMayFinish() {
  const closing = { type: "event", event: { ...EVENT, status: "closed" } };
  same(stage(run(...INSIDE, HELD, closing)), "map");
  same(stage(run(...INSIDE, closing, { type: "expired", reason: "closed" })), "closed");
  same(stage(run(...OPEN, { type: "queue", number: 1, ahead: 0, waiting: 1 }, closing)), "closed");
}

export function whoWasAwayTooLongIsToldSoInTheQueue() {
  const lost = run(...INSIDE, HELD, { type: "welcome", state: "none", now: at(90000) });
  same([stage(lost), lost.lapsed], ["joining", true]);
  const queued = reduce(lost, { type: "queue", number: 9, ahead: 3, waiting: 8, wait: null });
  same([stage(queued), queued.lapsed], ["waiting", true]);
  same(reduce(queued, ADMITTED).lapsed, false);
}

// V3: who is in again at once has no seats any more, and is told why.
export function whoIsInAgainAfterASilenceIsToldOfTheSeats() {
  const lost = run(...INSIDE, HELD, CHECKOUT, { type: "welcome", state: "none", now: at(90000) });
  same([lost.basket.seats, lost.unheard], [[], true]);
  const again = [ADMITTED, { type: "board" }].reduce(reduce, lost);
  same([stage(again), again.unheard], ["map", true]);
  same(reduce(again, HELD).unheard, false);
  same(reduce(again, { type: "sent", id: "a", kind: "hold", seats: [1] }).unheard, false);
  // In the queue that is told with the place.
  same(reduce(lost, { type: "queue", number: 9, ahead: 3, waiting: 8, wait: null }).unheard, false);
  same(run(...INSIDE, { type: "welcome", state: "none", now: at(90000) }).unheard, false);
  same(run(...INSIDE, HELD, WELCOME).unheard, false);
}

// V3: each end has its own reason, also the one that came while the connection was gone.
export function aTurnThatEndedMeanwhileIsToldAsThat() {
  const late = run(...INSIDE, HELD, { type: "welcome", state: "none", now: at(90000), ended: "session" });
  same([stage(late), late.outReason, late.basket.seats], ["out", "session", []]);
  const silent = run(...INSIDE, HELD, { type: "welcome", state: "none", now: at(90000), ended: "heartbeat" });
  same([stage(silent), silent.lapsed], ["joining", true]);
  // Of a visit before this page: whoever opens it anew wants in.
  same(stage(run(...OPEN, { type: "welcome", state: "none", now: at(90000), ended: "session" })), "joining");
  // Too late by a moment: the end and its reason follow.
  same(stage(run(...INSIDE, { type: "refused", id: "a", code: "not_active", seats: [] })), "map");
}

export function silenceInTheQueueKeepsTheTicket() {
  const waiting = run(...OPEN, { type: "queue", number: 9, ahead: 3, waiting: 8, wait: null, ticket: "T" });
  const silent = reduce(waiting, { type: "expired", reason: "heartbeat" });
  same([stage(silent), silent.ticket], ["joining", "T"]);
}

export function whatTheOrganiserChangesIsShownAtOnce() {
  const sale = { type: "sale", status: "open", paused: true, opens_at: null, closes_at: null };
  const waiting = [...OPEN, { type: "queue", number: 1, ahead: 0, waiting: 1 }];
  same(run(...waiting, sale).event.paused, true);
  same(stage(run(...waiting, { ...sale, status: "closed" })), "closed");
  // Opened again: whoever had no place asks for one.
  same(stage(run(...waiting, { ...sale, status: "closed" }, { type: "expired", reason: "closed" }, { ...sale, paused: false })), "joining");
  same(run(sale).event, null);
}

// What the visitor chose and typed is part of the same state.
export function whatTheVisitorChoosesIsPartOfTheState() {
  const chosen = run(
    { type: "mode", mode: "list" }, { type: "sheet" }, { type: "filter", category: 2 }, { type: "filter", category: 0 },
    { type: "filter", category: 2 }, { type: "provider", provider: "kcp" }, { type: "notify", on: true },
  );
  same([chosen.ui.mode, chosen.ui.sheet, [...chosen.ui.filter], chosen.ui.provider, chosen.ui.notify], ["list", true, [0], "kcp", true]);
  same(reduce(chosen, { type: "filter", category: 0 }).ui.filter, null);
}

export function aWrongAddressIsToldUntilItIsMended() {
  const wrong = run(...INSIDE, HELD, CHECKOUT, { type: "submitting" }, { type: "email-wrong" });
  same([wrong.ui.emailWrong, wrong.checkout.submitting], [true, false]);
  same(reduce(wrong, { type: "email", email: "k@l.m" }).ui, { ...wrong.ui, email: "k@l.m", emailWrong: false });
}

export function onlyItsOwnTimeEndsAToast() {
  const two = run({ type: "toast", text: "one" }, { type: "toast", text: "two" });
  same(reduce(two, { type: "untoast", count: 1 }).ui.toast.text, "two");
  same(reduce(two, { type: "untoast", count: 2 }).ui.toast, null);
}

export function anEventThatCannotBeReadIsBrokenOnlyWhileItNeverWas() {
  const broken = run({ type: "broken", code: "store_unavailable" });
  same([broken.broken, reduce(broken, OPEN[1]).broken], ["store_unavailable", null]);
  same(run(...OPEN, { type: "broken", code: "store_unavailable" }).broken, null);
}

// The seat that was asked for must not stay "asked" for ever.
export function aProblemAnswersItsRequest() {
  for (const code of ["not_active", "not_in_queue", "sale_closed"]) {
    const asked = run(...INSIDE, { type: "sent", id: "a", kind: "hold", seats: [4] });
    same([...pendingSeats(reduce(asked, { type: "problem", id: "a", code, detail: "" }), "hold")], []);
  }
}

// V1, R9: who is kept out is told so, and is in again when the page is let in: no "one moment" that never ends.
export function whoIsKeptOutIsToldSo() {
  const removed = { type: "problem", code: "removed", detail: "" };
  const out = run({ type: "event", event: EVENT }, { type: "expired", reason: "removed" });
  same([out.outReason, isKeptOut(out), stage(out)], ["removed", false, "out"]);
  const again = reduce(out, { type: "rejoin" });
  same([isKeptOut(again), stage(again)], [false, "joining"]);
  const kept = reduce(again, removed);
  same([isKeptOut(kept), stage(kept)], [true, "out"]);
  const gathers = { ...EVENT, status: "before", opens_at: at(90000), gathers_at: at(0) };
  same(stage(reduce(kept, { type: "event", event: gathers })), "out");
  same(stage(reduce(kept, { type: "queue", number: 1, ahead: 0, waiting: 1, ticket: "T" })), "waiting");
}

// R4: the clocks of session and hold stand, for ten minutes at most; that of the opening goes.
export function clocksStandInAnOutage() {
  const at = (ms) => new Date(ms).toISOString();
  const out = { type: "outage", away: ["database"], since: at(60000), until: at(660000) };
  const state = run({ type: "tick", local: 200000 }, { type: "beat", now: at(200000) }, out);
  same([turnSecondsLeft(state, 300000), secondsLeft(state, 300000)], [240, 100]);
  same([mayHold(state), mayPay(state), saying(state.outage)], [true, false, "database"]);
  const late = reduce(state, { type: "tick", local: 700000 });
  same(turnSecondsLeft(late, 300000), 200);
  const redis = reduce(state, { ...out, away: ["database", "redis"] });
  same([mayHold(redis), mayPay(redis), saying(redis.outage)], [false, false, "redis"]);
  const returning = reduce(state, { ...out, away: [] });
  same([mayHold(returning), mayPay(returning), turnSecondsLeft(returning, 300000), saying(returning.outage)], [true, true, 240, "returning"]);
  same(reduce(returning, { type: "outage", away: [], since: null, until: null }).outage, null);
}

// R4: a channel that comes back in an outage says its welcome first, and then what is away: that is not its end.
export function anOutageIsOverWhenThatIsSure() {
  const out = { type: "outage", away: ["database"], since: at(0), until: at(600000) };
  const quiet = { type: "outage", away: [], since: null, until: null };
  const online = { type: "connection", status: "online" };
  const welcome = { type: "welcome", state: "waiting", now: at(1000) };
  const after = (...actions) => {
    const state = run({ type: "tick", local: 1000 }, online, out, ...actions);
    return [state.outage !== null, state.doubted !== null, state.outageOverAt];
  };
  const tick = (local) => ({ type: "tick", local });
  same(after(), [true, false, null]);
  same(after(quiet), [false, false, 1000]);
  same(after(welcome), [false, true, null]);
  same(after(welcome, out, tick(60000)), [true, false, null]);
  same(after(welcome, tick(5999)), [false, true, null]);
  same(after(welcome, tick(6000)), [false, false, 6000]);
  same(after(welcome, quiet), [false, false, 1000]);
  // Cut off again before it was told, and welcomed once more.
  const lost = { type: "connection", status: "reconnecting" };
  same(after(welcome, lost, tick(60000)), [false, true, null]);
  same(after(welcome, lost, tick(60000), welcome, online, tick(61000)), [false, true, null]);
  // Whoever has never heard of one is told of no end.
  const calm = run({ type: "tick", local: 1000 }, online, welcome, quiet, tick(60000));
  same([calm.doubted, calm.outageOverAt], [null, null]);
}

// F7: a sale in parts has no opening of its own: the next part's is the one.
export const theNextPartOpensNext = () => {
  const part = (opens) => ({ name: "p", opens_at: at(opens), closes_at: null, needs_code: false, max_seats: null });
  const opens = (event) => opensAt(run({ type: "tick", local: 1000 }, { type: "event", event: { ...EVENT, ...event } }));
  same(opens({ opens_at: at(5000), phases: [] }), at(5000));
  same(opens({ opens_at: null, phases: [part(9000), part(500), part(3000)] }), at(3000));
  same(opens({ opens_at: null, phases: [part(500)] }), null);
};

// F7: a code that is given besides a place is taken with the next word of that place, refused by itself, and not given twice.
export function whatBecomesOfACode() {
  const give = { type: "code", given: true };
  const place = { type: "queue", number: 9, ahead: 3, waiting: 8, ticket: "T" };
  const problem = (code) => ({ type: "problem", code, detail: "" });
  const step = (...actions) => {
    const { step, why } = run(...OPEN, ...actions).code ?? {};
    return step ? { step, why } : null;
  };
  const waiting = [{ type: "welcome", state: "waiting", now: at(1000) }, place];
  const joining = [{ type: "welcome", state: "none", now: at(1000) }];
  same(step(...waiting, give), { step: "asked", why: null });
  same(step(...waiting, give, place), { step: "taken", why: null });
  same(step(...waiting, give, place, place), { step: "taken", why: null });
  same(step(...INSIDE, give, ADMITTED), { step: "taken", why: null });
  // That the place has moved is no answer.
  same(step(...waiting, give, { ...place, ticket: undefined }), { step: "asked", why: null });
  for (const why of ["code_not_valid", "code_used", "too_many_requests", "store_unavailable"])
    same(step(...waiting, give, problem(why)), { step: "refused", why });
  // Who has no place asks again with the code, until it is the code that is wrong.
  for (const why of ["store_unavailable", "too_many_requests"])
    same(step(...joining, give, problem(why)), { step: "asked", why: null });
  same(step(...joining, give, problem("code_used")), { step: "refused", why: "code_used" });
  same(step(...joining, give, problem("code_used"), problem("code_required")), { step: "refused", why: "code_used" });
  // Bought with, or wanted for the seats: asked for anew.
  same(step(...INSIDE, give, ADMITTED, HELD, { type: "submitting" }, told("a", "CONFIRMED")), null);
  const refused = run(...INSIDE, { type: "refused", id: "", code: "code_required", seats: [1] });
  same([refused.code, refused.ui.sheet], [null, true]);
}

// F7: whether a code that is kept ever reached the server is not known: it is given again, and only then it can be taken.
export function aCodeThatIsKeptIsGivenAgain() {
  const kept = (...actions) => [...OPEN, ...actions].reduce(reduce, initial({ slug: "x", code: true })).code.step;
  const give = { type: "code", given: true };
  const place = { type: "queue", number: 9, ahead: 3, waiting: 8, ticket: "T" };
  const welcome = (state) => ({ type: "welcome", state, now: at(1000) });
  same(kept(), "asked");
  same(kept(welcome("none"), place), "taken");
  same(kept(welcome("waiting"), place), "given");
  same(kept(welcome("active"), ADMITTED), "given");
  same(kept(welcome("active"), ADMITTED, give, ADMITTED), "taken");
  // The connection goes once more before the answer, and the place as well.
  same(kept(welcome("waiting"), place, give, welcome("waiting"), place), "given");
  same(kept(welcome("waiting"), place, welcome("none"), place), "taken");
}

// F7: a code counts while one of the parts is open that it was good for; and what is typed is there until it is taken.
export function aCodeCountsForItsOwnParts() {
  const part = (name, opens, closes) => ({ name, opens_at: at(opens), closes_at: closes && at(closes), needs_code: true });
  const phases = [part("a", 0, 5000), part("b", 5000, null), { ...part("all", 0, null), needs_code: false }];
  const typed = [...INSIDE, { type: "event", event: { ...EVENT, phases } }, { type: "code-text", text: "FAN" }];
  const give = { type: "code", given: true };
  const later = { type: "tick", local: 6000 };
  const counts = (...actions) => codeCounts(run(...typed, ...actions));
  same([counts(give), counts(give, ADMITTED), counts(give, ADMITTED, later)], [false, true, false]);
  same(counts(give, ADMITTED, later, give, ADMITTED), true);
  const text = (...actions) => run(...typed, ...actions).ui.code;
  const wrong = { type: "problem", code: "code_used", detail: "" };
  same([text(give), text(give, wrong), text(HELD), text(give, ADMITTED)], ["FAN", "FAN", "FAN", null]);
}

// V3: only who has a place in the queue is told that it is kept.
export function aLostConnectionPromisesWhatIsThere() {
  const QUEUE = { type: "queue", number: 9, ahead: 3, waiting: 8, ticket: "T" };
  const none = { type: "welcome", state: "none", now: at(1000) };
  const paying = (state) => told("r", "PAYING", { payment: { state } });
  const lost = (...actions) => whileLost(run(...OPEN, ...actions));
  same([lost(none, QUEUE), lost(none, QUEUE, none)], ["", ""]);
  same([lost(), lost(none), lost(none, { type: "expired", reason: "left" })], ["_plain", "_plain", "_plain"]);
  same([lost(WELCOME, ADMITTED), lost(WELCOME, ADMITTED, HELD)], ["_in", "_in"]);
  // Seats that are to be paid have a clock as well.
  same(["OPEN", "CLOSED", "DECLINED"].map((state) => lost(WELCOME, ADMITTED, HELD, paying(state))), ["_in", "_in", "_in"]);
  same([lost(WELCOME, paying("CALLED")), lost(none, told("r", "PAYING"))], ["_paying", "_paying"]);
  same(["CONFIRMED", "FAILED", "CANCELLED"].map((status) => lost(WELCOME, told("r", "PAYING"), told("r", status))), ["_plain", "_plain", "_plain"]);
}

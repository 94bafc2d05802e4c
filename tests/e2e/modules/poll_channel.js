import { EventApi, NoAnswer, Refusal } from "/static/js/api.js";
import { PollChannel } from "/static/js/poll_channel.js";
import { same, that, until } from "./same.js";

const RULES = {
  slug: "x", status: "open", now: "2030-05-01T20:00:00Z", beat_seconds: 0.05, active_grace_seconds: 7, waiting_grace_seconds: 9,
  session_warning_seconds: 33,
};
const WAITING = { state: "waiting", number: 9, ahead: 3, waiting: 8, wait: { low: 45, high: 81 }, eta_seconds: 60, ticket: "T" };
const ACTIVE = { state: "active", number: 9, ahead: 0, waiting: 8, until: "2030-05-01T20:10:00Z", ticket: "T" };
const QUIET = { away: [], since: null, until: null };
const BOARD = { epoch: 1, version: 4, states: "AAAA" };

const refusal = (status, code, more = {}) => Promise.reject(new Refusal(status, { code, ...more }, null));
const gone = () => Promise.reject(new NoAnswer("offline"));

/** A channel whose HTTP answers are `answers` (functions by the call's name); calls, messages and statuses are kept. */
function channel(answers = {}) {
  const calls = [];
  const messages = [];
  const statuses = [];
  const served = {
    event: () => RULES, place: () => WAITING, beat: () => WAITING, board: () => BOARD,
    basket: () => ({ seats: [], until: null }), join: () => WAITING, leave: () => ({}), outage: () => QUIET, ...answers,
  };
  const api = new Proxy({}, {
    get: (_, name) => async (...args) => {
      calls.push([name, ...args]);
      return { body: await served[name](...args), at: null };
    },
  });
  const made = new PollChannel({ api, onMessage: (message) => messages.push(message), onStatus: (status) => statuses.push(status) });
  const of = (type) => messages.filter((message) => message.type === type);
  const count = (name) => calls.filter(([called]) => called === name).length;
  return { made, served, calls, messages, statuses, of, count };
}

async function during(test, answers) {
  const one = channel(answers);
  try {
    await test(one);
  } finally {
    one.made.stop();
  }
}

export const theServersSecondsArePassedOn = () =>
  during(async ({ made, of }) => {
    await made.start();
    same(of("welcome"), [{ type: "welcome", event: "x", visitor: "", state: "waiting", now: "2030-05-01T20:00:00Z", beat_seconds: 0.05, grace_seconds: 9 }]);
    same(of("queue")[0], { type: "queue", number: 9, ahead: 3, waiting: 8, wait: { low: 45, high: 81 }, eta: 60, ticket: "T" });
  });

export const whoIsInIsWarnedWhenTheServerSays = () =>
  during(async ({ made, of }) => {
    await made.start();
    same(of("welcome")[0].grace_seconds, 7);
    same(of("admitted"), [{ type: "admitted", until: ACTIVE.until, number: 9, ticket: "T", warning_seconds: 33 }]);
  }, { place: () => ACTIVE });

// Every 4 seconds were too few where the server wants a beat each second.
export const beatsComeAsOftenAsTheServerWants = () =>
  during(async ({ made, count }) => {
    const real = globalThis.setTimeout;
    const pauses = [];
    globalThis.setTimeout = (work, pause) => (pauses.push(pause), real(work, pause));
    try {
      await made.start();
      await until(() => count("beat") >= 2);
    } finally {
      globalThis.setTimeout = real;
    }
    that(pauses.filter((pause) => pause === 50).length >= 2, "it pauses for as long as the server says");
  });

// In a background tab the looks' timer is slowed down; the worker's beats are not.
export const aBeatThatIsDueIsSent = () =>
  during(async ({ made, count }) => {
    await made.start();
    clearTimeout(made.timer); // as if it were a minute away
    made.heardAt = performance.now() + 60000; // however long this page stood still meanwhile
    made.send({ type: "beat" });
    same(count("beat"), 0); // not due yet
    made.heardAt = performance.now() - 50;
    made.send({ type: "beat" });
    await until(() => count("beat") === 1);
  });

// Before: "reachable" without an answer, and never a welcome, so the page asked for no place until a socket came.
export const whoStartsWithoutAnAnswerIsWelcomedLater = () =>
  during(async ({ made, served, statuses, messages, of }) => {
    served.event = gone;
    await made.start();
    same([statuses, messages], [["reconnecting"], []]);
    served.event = () => RULES;
    clearTimeout(made.timer);
    await made.start();
    same([statuses, of("welcome").length], [["reconnecting", "polling"], 1]);
  });

// "Store away" is no news about the place: whoever is in must not be told that the turn is over.
export const onlyAnAnswerAboutThePlaceSaysThatThereIsNone = () =>
  during(async ({ made, served, messages, of }) => {
    served.place = () => refusal(503, "store_unavailable");
    await made.start();
    same(messages, []);
    served.place = () => refusal(404, "not_in_queue");
    clearTimeout(made.timer);
    await made.start();
    same([of("welcome")[0].state, of("welcome")[0].ended], ["none", undefined]);
  });

// A turn that ended while a page that polls was away is told as what it was, as a socket's welcome does.
export const whyATurnEndedMeanwhileIsTold = () =>
  during(async ({ made, of }) => {
    await made.start();
    same([of("welcome")[0].state, of("welcome")[0].ended], ["none", "session"]);
  }, { place: () => refusal(404, "not_in_queue", { reason: "session" }) });

const outWith = (event, reason, silentSeconds = 0) =>
  during(async ({ made, served, of }) => {
    await made.start();
    made.heardAt -= silentSeconds * 1000;
    served.event = () => event;
    served.beat = () => refusal(404, "not_in_queue");
    await until(() => of("expired").length);
    same(of("expired"), [{ type: "expired", reason }]);
  }, { place: () => ({ ...ACTIVE, until: event.until ?? ACTIVE.until }), beat: () => ACTIVE });

export const theEndOfTheTurnIsToldAsSuch = () => outWith({ ...RULES, until: RULES.now }, "session");
export const silenceIsToldAsSuch = () => outWith(RULES, "heartbeat", 8);
export const whoIsSentOutIsToldSo = () => outWith(RULES, "removed");
export const theEndOfTheSaleIsToldAsSuch = () => outWith({ ...RULES, status: "closed" }, "closed");

export const whoWaitsAndIsForgottenAsksAgain = () =>
  during(async ({ made, served, of }) => {
    served.beat = () => refusal(404, "not_in_queue");
    await made.start();
    await until(() => of("problem").length);
    same(of("problem"), [{ type: "problem", code: "not_in_queue", detail: "" }]);
  });

export const commandsAreAnsweredUnderTheirId = () =>
  during(async ({ made, served, calls, of }) => {
    served.hold = () => ({ seats: [4], until: ACTIVE.until, fence: 7, extensions_left: 1 });
    await made.start();
    same(made.send({ type: "hold", id: "r1", seats: [4] }), true);
    await until(() => of("held").some(({ id }) => id === "r1"));
    same(of("held").find(({ id }) => id === "r1"), { type: "held", id: "r1", seats: [4], until: ACTIVE.until, fence: 7, extensions_left: 1 });
    served.hold = () => refusal(409, "seat_taken", { seats: [5], detail: "taken" });
    made.send({ type: "hold", id: "r2", seats: [5, 6] });
    await until(() => of("refused").length);
    same(of("refused"), [{ type: "refused", id: "r2", code: "seat_taken", detail: "taken", seats: [5] }]);
    same(calls.filter(([name]) => name === "hold"), [["hold", [4]], ["hold", [5, 6]]]);
  }, { place: () => ACTIVE, beat: () => ACTIVE });

// F8: where WebSockets do not get through, a wish is the same wish: the body has each of its fields, and nothing else.
export const aWishGoesOnAsItWasSaid = () =>
  during(async ({ made, served, of }) => {
    const real = globalThis.fetch;
    const bodies = [];
    globalThis.fetch = async (path, { body }) => {
      bodies.push([path, JSON.parse(body)]);
      return Response.json({ seats: [4, 5], until: ACTIVE.until, fence: 7, extensions_left: 1 });
    };
    served.best = async (wish) => (await new EventApi("x").best(wish)).body;
    const wishes = [
      { count: 4 },
      { count: 4, groups: 2 },
      { count: 4, category: "A" },
      { count: 4, zone: "West" },
      { count: 4, accessible: true },
      { count: 4, groups: 3, category: "A", zone: "West", accessible: false },
    ];
    try {
      await made.start();
      for (const [nth, wish] of wishes.entries()) {
        made.send({ type: "best", id: `b${nth}`, ...wish });
        await until(() => of("held").some(({ id }) => id === `b${nth}`));
      }
    } finally {
      globalThis.fetch = real;
    }
    same(bodies, wishes.map((best) => ["/api/events/x/holds", { best }]));
  }, { place: () => ACTIVE, beat: () => ACTIVE });

// A look that was answered before the hold must not take the new seats out of the basket again.
export const anOlderLookDoesNotUndoACommand = () =>
  during(async ({ made, served, of, count }) => {
    let answer;
    served.basket = () => new Promise((resolve) => (answer = resolve));
    served.hold = () => ({ seats: [4], until: ACTIVE.until, fence: 7, extensions_left: 1 });
    await Promise.race([made.start(), until(() => count("basket") === 1)]);
    made.send({ type: "hold", id: "r1", seats: [4] });
    await until(() => of("held").length === 1);
    answer({ seats: [], until: null });
    await until(() => count("beat") >= 1);
    same(of("held").map(({ id, seats }) => [id, seats]), [["r1", [4]]]);
  }, { place: () => ACTIVE, beat: () => ACTIVE });

export const whoLeavesIsNotToldThatTheTurnIsOver = () =>
  during(async ({ made, served, of, count }) => {
    let answer;
    await made.start();
    served.beat = () => new Promise((_, reject) => (answer = reject));
    await until(() => count("beat") === 1);
    made.send({ type: "leave" });
    await until(() => of("expired").length);
    answer(new Refusal(404, { code: "not_in_queue" }, null));
    await new Promise((resolve) => setTimeout(resolve, 100));
    same([...of("expired"), ...of("problem")], [{ type: "expired", reason: "left" }]);
  }, { place: () => ACTIVE });

// The look that was under way when it ended may have the old times: another one is waited for.
export const theEndOfAnOutageWaitsForTheLookThatIsUnderWay = () =>
  during(async ({ made, served, messages, of, count }) => {
    await made.start();
    served.outage = () => ({ away: ["redis"], since: "2030-05-01T20:00:00Z", until: null });
    await until(() => of("outage").length === 1);
    let answer;
    served.beat = () => new Promise((resolve) => (answer = resolve));
    await until(() => answer);
    const asked = count("outage");
    served.outage = () => QUIET;
    await until(() => count("outage") > asked);
    await new Promise((resolve) => setTimeout(resolve, 50)); // what is shown here is that nothing is told
    same(of("outage").length, 1);
    served.beat = () => ({ ...ACTIVE, until: "2030-05-01T20:12:00Z" });
    answer(ACTIVE);
    await until(() => of("outage").length === 2);
    const news = messages.filter(({ type }) => type === "admitted" || type === "outage");
    same(news.map(({ type, until: end }) => [type, end]).slice(-2), [["admitted", "2030-05-01T20:12:00Z"], ["outage", null]]);
  }, { place: () => ACTIVE, beat: () => ACTIVE });

// And not for ever: a look can hang for as long as a call may take.
export const theEndOfAnOutageIsToldThoughALookHangs = () =>
  during(async ({ made, served, of }) => {
    await made.start();
    served.outage = () => ({ away: ["redis"], since: "2030-05-01T20:00:00Z", until: null });
    await until(() => of("outage").length === 1);
    made.patience = 30;
    let hangs = false;
    served.beat = () => new Promise(() => (hangs = true));
    await until(() => hangs);
    served.outage = () => QUIET;
    await until(() => of("outage").length === 2);
    same(of("outage")[1], { type: "outage", ...QUIET });
  }, { place: () => ACTIVE, beat: () => ACTIVE });

export const whoStopsInTheMeantimeIsToldNothing = () =>
  during(async ({ made, served, of, count }) => {
    await made.start();
    served.outage = () => ({ away: ["redis"], since: "2030-05-01T20:00:00Z", until: null });
    await until(() => of("outage").length === 1);
    let answer;
    served.beat = () => new Promise((resolve) => (answer = resolve));
    await until(() => answer);
    const asked = count("outage");
    served.outage = () => QUIET;
    await until(() => count("outage") > asked);
    made.stop();
    answer(ACTIVE);
    await new Promise((resolve) => setTimeout(resolve, 20));
    same(of("outage").length, 1);
  }, { place: () => ACTIVE, beat: () => ACTIVE });

export const aStoppedChannelIsSilent = () =>
  during(async ({ made, served, messages, count }) => {
    let answer;
    await made.start();
    served.beat = () => new Promise((resolve) => (answer = resolve));
    await until(() => count("beat") === 1);
    const before = messages.length;
    made.stop();
    answer(ACTIVE);
    await new Promise((resolve) => setTimeout(resolve, 100));
    same([messages.length, made.send({ type: "sync" })], [before, false]);
  });

export const whereNothingAnswersNothingIsTaken = () =>
  during(async ({ made, served, statuses, of }) => {
    await made.start();
    served.hold = gone;
    made.send({ type: "hold", id: "r1", seats: [4] });
    await until(() => of("refused").length);
    same([of("refused")[0].code, statuses.at(-1)], ["outcome_unknown", "reconnecting"]); // it may have been done
    same(made.send({ type: "hold", id: "r2", seats: [4] }), false);
  });

// The looks hang with the store; what is away the server tells all the same, and its end only after the new times.
export const anOutageIsToldAndItsEndAfterTheNewTimes = () =>
  during(async ({ made, served, messages, of }) => {
    const away = { away: ["redis"], since: "2030-05-01T20:00:00Z", until: "2030-05-01T20:10:00Z" };
    // A page that has just been welcomed knows of none.
    await made.start();
    served.outage = () => away;
    await until(() => of("outage").length === 1);
    same(of("outage")[0], { type: "outage", ...away });
    served.place = served.beat = () => ({ ...ACTIVE, until: "2030-05-01T20:12:00Z" });
    served.outage = () => QUIET;
    await until(() => of("outage").length === 2);
    const kinds = messages.map(({ type }) => type);
    that(kinds.lastIndexOf("admitted") < kinds.lastIndexOf("outage"), "the clocks go on with the time that was given");
  }, { place: () => ACTIVE, beat: () => ACTIVE });

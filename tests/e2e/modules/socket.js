import { Refusal } from "/static/js/api.js";
import { Channel } from "/static/js/socket.js";
import { isUnanswered } from "/static/js/unanswered.js";
import { same, that, until } from "./same.js";

/** Runs `test` with sockets that do what it says: {sockets, messages, statuses, made}. `answers`: of the HTTP twins. */
async function during(test) {
  const sockets = [];
  const messages = [];
  const statuses = [];
  const real = globalThis.WebSocket;
  class Socket extends EventTarget {
    static OPEN = 1;
    constructor(url) {
      super();
      Object.assign(this, { url, readyState: 0, sent: [], closedWith: null });
      sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close(code) {
      Object.assign(this, { readyState: 2, closedWith: code });
    }
    says(message) {
      this.readyState = 1;
      this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
    }
    ends(code, reason = "") {
      this.readyState = 3;
      this.dispatchEvent(new CloseEvent("close", { code, reason }));
    }
  }
  globalThis.WebSocket = Socket;
  const none = () => Promise.reject(new Refusal(404, { code: "not_in_queue" }, null));
  const api = { event: async () => ({ body: { now: "2030-05-01T20:00:00Z", beat_seconds: 10 }, at: null }), place: none };
  let asks = false;
  const made = new Channel({
    slug: "a b",
    api,
    joins: () => asks,
    onMessage: (message) => messages.push(message),
    onStatus: (...status) => statuses.push(status),
    random: () => 0, // the shortest pauses
  });
  try {
    await test({ made, sockets, messages, statuses, asksAtOnce: (now) => (asks = now) });
  } finally {
    made.stop();
    globalThis.WebSocket = real;
  }
}

const WELCOME = { type: "welcome", state: "none", beat_seconds: 10 };
const QUICK = { ...WELCOME, beat_seconds: 0.2 }; // silent after 0.3 s
const soon = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const aSocketIsOnlineFromItsWelcome = () =>
  during(async ({ made, sockets, messages, statuses }) => {
    made.start();
    that(sockets[0].url.endsWith("/ws/events/a%20b?board=packed"), sockets[0].url);
    sockets[0].readyState = 1;
    same(made.send({ type: "beat" }), false);
    sockets[0].says(WELCOME);
    same([made.send({ type: "beat" }), sockets[0].sent], [true, [{ type: "beat" }]]);
    same([statuses, messages], [[["online"]], [WELCOME]]);
  });

// S7: who has a place by then, or something to tell with the wish, opens it without.
export const aPlaceIsAskedForByTheOpeningWhereThePageSaysSo = () =>
  during(async ({ made, sockets, asksAtOnce }) => {
    asksAtOnce(true);
    made.start();
    that(sockets[0].url.endsWith("?board=packed&join=now"), sockets[0].url);
    asksAtOnce(false);
    sockets[0].says(WELCOME);
    sockets[0].ends(1006);
    await until(() => sockets.length === 2);
    that(sockets[1].url.endsWith("?board=packed"), sockets[1].url);
  });

export const aLostSocketComesBack = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(WELCOME);
    sockets[0].ends(1006);
    same([made.send({ type: "beat" }), statuses.at(-1)], [false, ["reconnecting"]]);
    await until(() => sockets.length === 2);
    sockets[0].says({ type: "queue" }); // what a socket that is over says is not news
    sockets[1].says(WELCOME);
    same(statuses, [["online"], ["reconnecting"], ["online"]]);
  });

// A server that answers beats and not what was asked would leave the button that asked it busy for ever.
export const aSocketThatLeavesAnAnswerOutIsOpenedAnew = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    made.renew(); // on its way already
    same(sockets.length, 1);
    sockets[0].says(WELCOME);
    const state = (seconds) => ({ pending: { a: { kind: "best", seats: [], at: 1000 } }, local: 1000 + seconds * 1000 });
    same([isUnanswered(state(19)), isUnanswered(state(21)), isUnanswered({ pending: {}, local: 9e9 })], [false, true, false]);
    made.renew();
    await until(() => sockets.length === 2);
    sockets[1].says(WELCOME);
    same([sockets[0].closedWith, statuses], [1000, [["online"], ["reconnecting"], ["online"]]]);
  });

export const anAnswerThatSaysSoEndsTheChannel = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(WELCOME);
    sockets[0].ends(4100);
    await new Promise((resolve) => setTimeout(resolve, 600));
    dispatchEvent(new Event("online"));
    same([sockets.length, statuses], [1, [["online"], ["stopped", 4100]]]);
  });

export const aServerThatNamesAMomentIsComeBackToThen = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    for (const index of [0, 1, 2, 3]) {
      await until(() => sockets.length === index + 1);
      sockets[index].ends(4000, "many come at once: reconnect after 0 s");
    }
    await until(() => sockets.length === 5);
    same([made.poll, statuses.at(-1)], [null, ["reconnecting"]]);
    sockets[4].ends(4000, "many come at once: reconnect after 90 s");
    await soon(600);
    same(sockets.length, 5); // a pause of its own would be over
  });

export const threeSocketsWithoutAWelcomeMeanPolling = () =>
  during(async ({ made, sockets, messages, statuses }) => {
    made.start();
    for (const index of [0, 1, 2]) {
      await until(() => sockets.length === index + 1);
      sockets[index].ends(1006);
    }
    await until(() => statuses.at(-1)[0] === "polling");
    same(messages.map(({ type, state }) => [type, state]), [["welcome", "none"]]);
    same(made.send({ type: "beat" }), true);
  });

export const aWelcomeEndsPolling = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    for (const index of [0, 1, 2]) {
      await until(() => sockets.length === index + 1);
      sockets[index].ends(1006);
    }
    await until(() => statuses.at(-1)[0] === "polling");
    const { poll } = made;
    dispatchEvent(new Event("online"));
    sockets.at(-1).says(WELCOME);
    same([made.poll, poll.stopped, statuses.at(-1)], [null, true, ["online"]]);
  });

export const theNetworkIsBelievedWhenItGoes = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(WELCOME);
    dispatchEvent(new Event("offline"));
    same([sockets[0].closedWith, made.send({ type: "beat" }), statuses.at(-1)], [1000, false, ["offline"]]);
    dispatchEvent(new Event("online"));
    sockets[1].says(WELCOME);
    same(statuses.slice(-2), [["reconnecting"], ["online"]]);
  });

export const aPageThatComesBackFromTheCacheOpensAnew = () =>
  during(async ({ made, sockets }) => {
    made.start();
    sockets[0].says(WELCOME);
    sockets[0].readyState = 3; // closed while the page was frozen, and nobody told it
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    same(sockets.length, 2);
  });

// A phone that slept has lost its socket without being told.
export const anOpenSocketIsNotBelievedAfterALongSleep = () =>
  during(async ({ made, sockets }) => {
    made.start();
    sockets[0].says(WELCOME);
    made.hiddenAt = Date.now() - 30000;
    document.dispatchEvent(new Event("visibilitychange"));
    same(sockets.length, 1);
    made.hiddenAt = Date.now() - 50000;
    document.dispatchEvent(new Event("visibilitychange"));
    same([sockets.length, sockets[0].closedWith], [2, 1000]);
  });

export const aSocketThatFallsSilentIsLeftForAnother = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(QUICK);
    await until(() => statuses.at(-1)[0] === "reconnecting");
    same([sockets[0].closedWith, made.send({ type: "beat" })], [1000, false]);
    await until(() => sockets.length === 2);
    sockets[1].says(QUICK);
    same(statuses.at(-1), ["online"]);
    await until(() => sockets.length === 3);
  });

export const anyFrameCountsAndAnswersToBeatsAreNoNews = () =>
  during(async ({ made, sockets, messages, statuses }) => {
    made.start();
    sockets[0].says({ ...WELCOME, beat_seconds: 1 });
    for (let turn = 0; turn < 10; turn += 1) {
      await soon(200);
      sockets[0].says(turn % 2 ? { type: "beat", now: "2030-05-01T20:00:00Z" } : { type: "queue" });
    }
    same([sockets.length, statuses], [1, [["online"]]]);
    same(new Set(messages.map(({ type }) => type)), new Set(["welcome", "queue"]));
  });

export const aSilenceThatIsThePagesOwnIsNoReason = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(QUICK);
    const end = performance.now() + 1600;
    while (performance.now() < end); // a page that stands still reads nothing and runs no timers
    await soon(100);
    same([sockets.length, statuses], [1, [["online"]]]);
    sockets[0].says({ type: "queue" });
    await soon(100);
    same(statuses, [["online"]]);
    await until(() => statuses.at(-1)[0] === "reconnecting");
  });

export const aPageInTheBackForwardCacheHasNoSocket = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    sockets[0].says(WELCOME);
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    same([sockets[0].closedWith, sockets[0].sent], [1000, []]); // closed, and not left
    dispatchEvent(new Event("online"));
    await soon(600);
    same(sockets.length, 1);
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    same([sockets.length, statuses.at(-1)], [2, ["reconnecting"]]);
    sockets[1].says(WELCOME);
    same(statuses.at(-1), ["online"]);
  });

export const aPageThatPolledGoesOnPollingWhenItComesBack = () =>
  during(async ({ made, sockets, statuses }) => {
    made.start();
    for (const index of [0, 1, 2]) {
      await until(() => sockets.length === index + 1);
      sockets[index].ends(1006);
    }
    await until(() => statuses.at(-1)[0] === "polling");
    const { poll } = made;
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    same(poll.stopped, true);
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    that(made.poll !== null && made.poll !== poll, "another one polls");
    await until(() => statuses.at(-1)[0] === "polling");
  });

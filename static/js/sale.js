// The sale page: wires state, channel, map, list and views. One page from the countdown to the ticket, no reload.
import { wantsCode } from "./access_code.js";
import { announce } from "./announce.js";
import { EventApi, Refusal } from "./api.js";
import { delay } from "./backoff.js";
import { Board } from "./board.js";
import { Buying } from "./buying.js";
import { byId } from "./dom.js";
import * as i18n from "./i18n.js";
import { Hall } from "./hall.js";
import { Heartbeat } from "./heartbeat.js";
import { departure, Leaving } from "./leaving.js";
import * as notify from "./notify.js";
import { Channel } from "./socket.js";
import { Entry } from "./entry.js";
import { looksEvery } from "./sold_out.js";
import { sleepWatch } from "./server_clock.js";
import { initial, mayJoin, opensAt, saleState, serverNow, stage } from "./state.js";
import { lasting, remembers, session } from "./storage.js";
import { Overdue } from "./overdue.js";
import { Steps } from "./steps.js";
import "./site.js";
import { isUnanswered } from "./unanswered.js";
import { PlanLoader } from "./plan_loader.js";
import { createStore } from "./store.js";
import { Page } from "./page.js";
import { Price } from "./price.js";
import { Returns } from "./returns.js";
import { Work } from "./work.js";

// Milliseconds between two looks at the event of a browser without a channel: nobody tells it what changes (`sale`).
const EVENT_EVERY_POLLING = 15000;
const ENTER_WITHIN = 5000; // milliseconds
const ASK_AGAIN = 3000; // milliseconds until a `join` without an answer is sent again
const RENEW_AGAIN = 300000; // milliseconds that a page is open before it is loaded once more for its cookie

/** Who looks at the result of an order wants no place; one that is asked for after it is another visit. */
const BOUGHT = new Set(["PAYING", "CONFIRMED"]);

/** With one of them a welcome says which place there is. @type {ReadonlySet<string>} */
const PLACES = new Set(["entered", "queue", "admitted"]);

const root = byId("sale");
const { slug = "", language = "en", assets = "", providers = "[]", alternative = "" } = root.dataset;
const { plan = "", planWorker = "" } = root.dataset;
const ticketName = `onsale.ticket.${slug}`;
const codeName = `onsale.code.${slug}`;
const renewedName = `onsale.renewed.${slug}`;
const entry = new Entry(slug, lasting);
const plans = new PlanLoader(slug, planWorker);
if (plan) plans.ahead(plan);

await i18n.load(language, assets);

const api = new EventApi(slug);
const left = departure(session, slug);
const board = new Board();
const store = createStore(
  initial({
    slug,
    ticket: lasting.getItem(ticketName),
    email: session.getItem("onsale.email") ?? "",
    shop: { providers: JSON.parse(providers), alternative },
    code: session.getItem(codeName) !== null,
    left: left.known,
  }),
);
const { dispatch } = store;

let requests = 0;
let askedAt = -Infinity;
let gaveCode = false; // by hand, and what became of it was not told yet
let sawBefore = false; // the page was open before people could gather
/** @type {number | null} */
let enterAt = null;

const slept = sleepWatch();
const tick = () => dispatch({ type: "tick", local: performance.now() });

const leaving = new Leaving({
  store,
  give() {
    if (!channel.send({ type: "leave" })) return false;
    left.keep();
    lasting.removeItem(ticketName);
    return true;
  },
});

const channel = new Channel({
  slug,
  api,
  joins: asksAtOnce,
  onMessage(message) {
    if (message.type === "board") hall.boardCame(board.load(message));
    else if (message.type === "seats") seatsCame(message);
    else if (message.type === "returns") list.look();
    if (message.type === "seats" || message.type === "returns") return;
    tick();
    if (message.type === "welcome") {
      if (!store.state.event) void learnEvent();
      askedAt = message.asked ? performance.now() : -Infinity;
      heartbeat.every(message.beat_seconds);
    }
    dispatch(message);
    if (message.type === "entered") entry.learn(message);
    // A code that was given to a connection that is gone, by who has a place: nobody asks for one any more.
    if (PLACES.has(message.type) && store.state.code?.step === "given") {
      dispatch({ type: "code", given: true });
      join();
    }
    // The turn is over, and the news of it is on its way: a sign of life brings it, with the reason.
    if (message.type === "refused" && message.code === "not_active") channel.send({ type: "beat" });
    // Nobody tells a tab that another one has made an order of the seats: it is asked for whenever that may be so.
    const back = message.type === "welcome" && message.state === "active" && store.state.basket.seats.length > 0;
    if (back || (message.type === "refused" && message.code === "payment_in_progress")) void buying.find();
    if (message.type === "problem" && message.code === "proof_required") price.want(message);
    if (message.type === "problem" && message.code === "no_visitor") renew();
    if (message.type === "welcome" && message.state !== "none") session.removeItem(renewedName);
    if (message.type === "reservation") buying.told();
  },
  onStatus: (status, code) => dispatch({ type: "connection", status, code }),
});

const price = new Price({
  work: new Work(`${assets}/vendor/altcha/pbkdf2.js`),
  told: (kind) => dispatch({ type: "price", kind }),
  ready() {
    askedAt = -Infinity;
    ask();
  },
});
// The cache of pages keeps no page whose workers run; and nobody waits there.
addEventListener("pagehide", () => price.over());

const hall = new Hall({
  load: (version) => plans.load(version),
  board,
  store,
  channel,
  newId: () => `r${(requests += 1)}`,
});
const steps = new Steps({
  store,
  onList: (zone, row) => hall.drawn?.list.show(zone, row),
  onSection: (zone) => hall.drawn?.map.goToSection(zone),
});
hall.went = (zone, row) => steps.list(zone, row);
hall.zoomed = (zone) => steps.zoomed(zone);
hall.begins = steps.listed;
hall.section = steps.section;
// Enlarged fourfold, or on a watch: there is no room for a map, and the list can do all that it can (static/css/hall.css).
const cramped = matchMedia("(max-height: 359px) and (max-width: 559px)");
const listWhereCramped = () => cramped.matches && dispatch({ type: "mode", mode: "list" });
cramped.addEventListener("change", listWhereCramped);
listWhereCramped();
const buying = new Buying({ slug, api, store, storage: session, shared: lasting });
addEventListener("storage", ({ key, newValue }) => void buying.heard(key, newValue));
const overdue = new Overdue({
  store,
  async ask() {
    // A channel by looks is told with the next one.
    if (!buying.busy.on && !(await buying.find())) channel.renew();
  },
});

/** @type {Sale.Act} */
const act = {
  ...hall.actions,
  ...buying.actions,
  ...leaving.actions,
  back: () => steps.back(),
  rejoin() {
    dispatch({ type: "rejoin" });
    askedAt = -Infinity;
    ask();
  },
  pay() {
    dispatch({ type: "price", kind: null });
    price.again();
  },
  giveCode(code) {
    session.setItem(codeName, code);
    gaveCode = true;
    page.arrived = true; // the heading of what comes now is where the buyer goes on
    dispatch({ type: "code", given: true });
    askedAt = -Infinity;
    if (store.state.presence === "joining") ask();
    else join();
  },
  codeText: (event) => dispatch({ type: "code-text", text: event.target.value }),
  noCode() {
    session.removeItem(codeName);
    gaveCode = false;
    dispatch({ type: "code", given: false });
    askedAt = -Infinity;
    ask();
  },
  dismiss: () => dispatch({ type: "dismiss" }),
  chooseAgain() {
    page.kept = null;
    dispatch({ type: "dismiss" });
    page.draw();
    // What was pressed is gone: on with the first that can be chosen.
    /** @type {HTMLElement | null} */
    const first = root.querySelector(".wish :is(input:checked, select, button, a)");
    first?.focus({ preventScroll: true });
  },
  async notify() {
    dispatch({ type: "notify", on: await notify.allow() });
  },
};

const list = new Returns({
  slug,
  state: () => store.state,
  changed: () => page.draw(),
  opens: () => !store.state.ui.sheet && dispatch({ type: "sheet" }),
  storage: lasting,
});
const page = new Page({ root, store, board, hall, act, list, captcha: price.captcha?.box ?? null });

const heartbeat = new Heartbeat(`${assets}/js/beat_worker.js`, () => channel.send({ type: "beat" }));

/**
 * Open for more than a day before it asked, or without the cookie that it came with: the page has it renewed by being loaded.
 * Once, and then after a while only: a browser that takes no cookie, and often keeps nothing at all, would load without end.
 */
function renew() {
  const open = Math.max(performance.now(), Date.now() - performance.timeOrigin); // the first stands while the machine sleeps
  const again = session.getItem(renewedName) !== null || !remembers(session);
  if (again && open < RENEW_AGAIN) return;
  session.setItem(renewedName, "1");
  location.reload();
}

/** @param {Wire.Seats} message */
function seatsCame(message) {
  const touched = board.apply(message);
  if (touched === null) channel.send({ type: "sync", epoch: board.epoch, version: board.version });
  else if (touched.length) hall.seatsChanged(touched);
}

/** Asks for a place whenever one is wanted and none is known; the ticket of an earlier one brings it back. */
function ask() {
  const { state } = store;
  if (state.presence !== "joining" || !mayJoin(state) || BOUGHT.has(state.reservation?.status ?? "")) return;
  const now = performance.now();
  // Pages that were open when the pre-queue opened need not all enter in one second: coming early is no advantage.
  if (saleState(state) === "before" && sawBefore) enterAt ??= now + Math.random() * ENTER_WITHIN;
  if (!price.mayAsk || now - askedAt < ASK_AGAIN || (saleState(state) === "before" && now < (enterAt ?? 0))) return;
  if (wantsCode(state)) return; // the buyer is asked for it first
  join();
}

/** Whether the channel's opening asks for a place: one is wanted, and nothing is to be told with the wish. */
function asksAtOnce() {
  const { event, presence, reservation, ticket, ui } = store.state;
  const wanted = presence === "unknown" || presence === "joining";
  if (!wanted || ui.leaving || BOUGHT.has(reservation?.status ?? "")) return false;
  // The receipt of a draw is made of what this browser adds to it.
  if (!event || saleState(store.state) !== "open" || event.phases.length || event.draw === "announced") return false;
  return price.mayAsk && !price.proof && !ticket && !session.getItem(codeName);
}

function join() {
  const { state } = store;
  const ticket = state.ticket ? { ticket: state.ticket } : {};
  const paid = price.proof ? { proof: price.proof } : {};
  const kept = session.getItem(codeName);
  const code = kept ? { code: kept } : {};
  if (channel.send({ type: "join", ...ticket, ...paid, ...code, nonce: entry.nonce() })) askedAt = performance.now();
}

async function learnEvent() {
  try {
    const { body } = await api.event();
    tick();
    dispatch({ type: "beat", now: body.now });
    i18n.learnCurrencies({ [body.currency]: body.minor_digits });
    dispatch({ type: "event", event: body });
    await learnBoard();
  } catch (error) {
    dispatch({ type: "broken", code: error instanceof Refusal ? error.code : "store_unavailable" });
  }
}

// Who waits gets no seat traffic; whether anything is left is worth a look now and then.
async function learnBoard() {
  if (stage(store.state) !== "waiting") return;
  const { body } = await api.board();
  if (stage(store.state) !== "waiting") return;
  hall.boardCame(board.load(body));
  page.draw();
}

let before = store.state;
store.subscribe((state) => {
  if (state.ticket && state.ticket !== before.ticket) lasting.setItem(ticketName, state.ticket);
  if (state.presence === "out" && before.presence !== "out") lasting.removeItem(ticketName);
  if (state.presence === "active" && before.presence !== "active") {
    if (before.presence === "waiting")
      notify.call(i18n.t("turn.title"), i18n.t("turn.text", { event: state.event?.name ?? "" }));
    announce(i18n.t("turn.title"), { urgent: true });
  }
  if (["entered", "waiting", "active"].includes(state.presence) && before.presence === "joining") price.over();
  if (state.presence === "waiting" && before.presence !== "waiting") learnBoard().catch(() => {});
  // Neither a wrong code nor one that was bought with is given again by itself.
  if (before.code && state.code !== before.code && (state.code?.step ?? "refused") === "refused")
    session.removeItem(codeName);
  left.follow(before, state);
  hall.follow(before, state);
  steps.follow(before, state);
  const codeTaken = before.code?.step === "asked" && state.code?.step === "taken";
  const codeRefused = state.code?.step === "refused" && state.code !== before.code;
  before = state;
  sawBefore ||= saleState(state) === "before" && !mayJoin(state);
  ask();
  page.follow();
  if (gaveCode && (codeTaken || codeRefused)) tellOfCode(codeTaken);
});

/** What became of the code that was typed: it gets the focus, unless the buyer went elsewhere meanwhile. @param {boolean} taken */
function tellOfCode(taken) {
  gaveCode = false;
  const { activeElement } = document;
  const there = activeElement === document.body || Boolean(activeElement?.closest(".code-form"));
  /** @type {HTMLElement | null} */
  const counts = root.querySelector(".code-taken");
  // Where only codes are let in, the form made room for the place itself.
  if (taken && !counts) announce(i18n.t("entry.code_taken"));
  /** @type {HTMLElement | null} */
  const told = taken ? (counts ?? root.querySelector("[data-focus]")) : root.querySelector("#code");
  if (there) told?.focus({ preventScroll: taken && !counts });
  if (!taken) root.querySelector("#code-wrong")?.scrollIntoView({ block: "nearest" });
}

tick();
const resumed = buying.resume(); // both are asked for at once
await learnEvent();
await resumed;
channel.start();
if (!list.known) list.look();
setInterval(() => {
  tick();
  if (slept()) channel.send({ type: "beat" }); // whose answer has the time
  leaving.tick();
  overdue.tick();
  list.tick();
  ask();
  if (isUnanswered(store.state)) channel.renew();
}, 1000);
(function learnAgain(tried = 0) {
  const { state } = store;
  const polls = state.connection === "polling";
  const usual = looksEvery(board, stage(state) === "waiting");
  // Nobody tells a page that polls that the sale has opened: it looks then.
  const opens = polls && saleState(state) === "before" ? Date.parse(opensAt(state) ?? "") - serverNow(state) : NaN;
  const every = opens >= 0 && opens < EVENT_EVERY_POLLING ? opens + 500 : polls ? EVENT_EVERY_POLLING : usual;
  // Whoever sees no sale at all does not wait for that long.
  const pause = state.event ? every * (0.75 + Math.random() / 2) : delay(tried);
  setTimeout(() => learnEvent().finally(() => learnAgain(tried + 1)), pause);
})();

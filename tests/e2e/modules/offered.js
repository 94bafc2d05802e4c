import { NoAnswer, Refusal } from "/static/js/api.js";
import { Offered } from "/static/js/offered.js";
import { same, that } from "./same.js";

const place = (state, offer, more = {}) => ({ id: "p", state, offer: { state: offer, until: "2030-05-01T20:10:00Z" }, ...more });
const OPEN = place("offered", "open");
const lost = () => Promise.reject(new NoAnswer("lost"));
const refuse = (status, code) => Promise.reject(new Refusal(status, { code }, null));

/** The page of an offer whose server is `answers` (functions by the call's name). */
function page(answers) {
  const looks = [];
  const went = [];
  const calls = { look: () => OPEN, take: lost, pass: lost, leave: lost, ...answers };
  const api = Object.fromEntries(
    Object.keys(calls).map((name) => [
      name,
      async () => {
        if (name === "look") looks.push(name);
        return { body: await calls[name](), at: null };
      },
    ]),
  );
  return { offered: new Offered({ api, changed: () => {}, go: (path) => void went.push(path) }), calls, looks, went };
}

// A first look without an answer left the page without the seats until it was loaded again.
export async function whoLearntNothingLooksAgain() {
  const { offered, calls, looks } = page({ look: lost });
  await offered.look();
  same([offered.place, offered.failed], [null, "store_unavailable"]);
  calls.look = () => OPEN;
  offered.tick(); // not at once
  same(looks.length, 1);
  offered.lookedAt -= 4000;
  offered.tick();
  offered.tick(); // one at a time
  await new Promise((resolve) => setTimeout(resolve));
  same([offered.place?.state, offered.failed, looks.length], ["offered", null, 2]);
  offered.lookedAt -= 4000; // known now: less often
  offered.tick();
  same(looks.length, 2);
  // A link that is good for nothing is not asked about again and again.
  const bad = page({ look: () => refuse(404, "not_on_list") });
  await bad.offered.look();
  bad.offered.lookedAt = -Infinity;
  bad.offered.tick();
  same([bad.looks.length, bad.offered.failed], [1, "not_on_list"]);
}

// Whether it was done is asked before anything is said.
export async function aLostAnswerIsLookedFor() {
  for (const [press, after, done, failed] of [
    ["take", OPEN, null, "no_answer"],
    ["take", place("taken", "taken", { reservation: "r" }), null, null],
    ["pass", place("waiting", "passed"), "passed", null],
    ["leave", place("left", "passed"), "left", null],
  ]) {
    const { offered, calls } = page({});
    await offered.look();
    calls.look = () => after;
    await offered[press]();
    same([press, offered.place, offered.done, offered.failed, offered.busy.on], [press, after, done, failed, false]);
  }
  const { offered, calls } = page({});
  await offered.look();
  calls.look = lost;
  await offered.take();
  same([offered.place.offer.state, offered.failed], ["open", "no_answer"]);
}

export async function aRefusalIsToldWithWhatIsTrueNow() {
  const { offered, calls } = page({ take: () => refuse(409, "offer_taken") });
  await offered.look();
  calls.look = () => place("taken", "taken");
  await offered.take();
  same([offered.place.state, offered.failed], ["taken", "offer_taken"]);
}

export async function whatIsDoneIsShown() {
  const { offered, calls, went } = page({
    take: () => ({ id: "r", status: "PAYING", payment: { page: "/pay/r" } }),
    pass: () => place("waiting", "passed"),
    leave: () => ({}),
  });
  await offered.look();
  await offered.take();
  same(went, ["/pay/r"]);
  calls.take = () => ({ id: "r", status: "CONFIRMED" });
  await offered.take();
  same(went.at(-1), "/reservations/r");
  await offered.pass();
  same(offered.done, "passed");
  await offered.leave();
  same(offered.done, "left");
}

// R3: a clock that was set back showed hours, and no look mended it for as long; one set ahead ended the offer.
export async function whatIsLeftIsByTheServersClockAndLooksGoOn() {
  const { offered, calls, looks } = page({ look: () => ({ ...OPEN, now: "2030-05-01T20:00:00Z" }) });
  await offered.look();
  const real = Date.now;
  try {
    for (const hours of [-2, 2]) {
      Date.now = () => real() + hours * 3600000;
      that(Math.abs(offered.left - 600000) < 60000, `${offered.left} ms are left`);
      offered.tick(); // the machine may have slept: it looks
      await new Promise((resolve) => setTimeout(resolve));
    }
  } finally {
    Date.now = real;
  }
  same(looks.length, 3);
  calls.look = () => ({ ...OPEN, now: "2030-05-01T20:04:00Z" });
  await offered.look();
  that(Math.abs(offered.left - 360000) < 60000, `${offered.left} ms are left after a sleep`);
}

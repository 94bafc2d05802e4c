import { countDown, written } from "/static/js/pay/clock.js";
import { Kept } from "/static/js/pay/kept.js";
import { same, that, until } from "./same.js";

const NOW = "2030-01-01T00:00:00+00:00";

/** `milliseconds` after NOW. */
const after = (milliseconds) => new Date(Date.parse(NOW) + milliseconds).toISOString();

export function secondsAreWrittenAsMinutes() {
  same([420, 365, 60, 59, 9.01, 0.2, 0, -3].map(written), ["7:00", "6:05", "1:00", "0:59", "0:10", "0:01", "0:00", "0:00"]);
}

// P2: both times are the server's; whatever this machine's clock says, and however long the page took to be drawn.
export function whatIsLeftIsByTheServersClock() {
  const shown = [];
  const drawn = performance.now() - 5000;
  const { stop } = countDown({ until: after(65000), now: NOW, drawn, show: (left) => shown.push(left), over() {} });
  stop();
  same(shown.map(written), ["1:00"]);
}

export async function theEndIsToldOnce() {
  let ends = 0;
  const shown = [];
  countDown({
    until: after(60),
    now: NOW,
    drawn: performance.now(),
    show: (left) => shown.push(left),
    over: () => (ends += 1),
    every: 10,
  });
  same(ends, 0);
  await until(() => ends > 0);
  const looks = shown.length;
  that(shown[0] > shown[looks - 1], "it counts down");
  that(shown[looks - 1] <= 0, "the end is shown as well");
  await new Promise((resolve) => setTimeout(resolve, 60));
  same([ends, shown.length], [1, looks]);
}

// What ends between two looks at the clock is told with the next one: 0:01 stood there for ever.
export async function whatIsToldToBeOverWasShownAsOver() {
  for (const milliseconds of [10, 11]) {
    let at = 0;
    const shown = [];
    let ends = 0;
    performance.now = () => (at += 1); // each look is a millisecond later
    try {
      countDown({ until: after(milliseconds), now: NOW, drawn: 0, show: (left) => shown.push(left), over: () => (ends += 1), every: 1 });
      for (let turn = 0; !ends && turn < 9999; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    } finally {
      delete performance.now;
    }
    that(ends === 1 && shown.at(-1) <= 0, `${ends} ends, ${shown.at(-1)} s were shown last`);
  }
}

// R4: in an outage the clock stands; the end that the server tells afterwards is the new one.
export async function inAnOutageItStands() {
  let standing = 0;
  let ends = 0;
  const shown = [];
  const parts = { until: after(100), now: NOW, drawn: performance.now(), every: 5, standing: (at) => Math.max(0, at - Date.parse(NOW) - standing) };
  const clock = countDown({ ...parts, show: (left) => shown.push(left), over: () => (ends += 1) });
  await new Promise((resolve) => setTimeout(resolve, 200));
  same([ends, new Set(shown.map((left) => Math.round(left * 1000))).size], [0, 1]);
  clock.move(after(3600000));
  standing = Infinity;
  await until(() => shown[shown.length - 1] > 3000);
  same(ends, 0);
  clock.stop();
}

export async function stoppedItTellsNothing() {
  let ends = 0;
  const { stop } = countDown({ until: after(20), now: NOW, drawn: performance.now(), show() {}, over: () => (ends += 1), every: 5 });
  stop();
  await new Promise((resolve) => setTimeout(resolve, 60));
  same(ends, 0);
}

// P2: each drawing follows the same end. Once it is over it is not begun again, which would ask the server every second.
export async function anEndThatIsOverIsNotBegunAgain() {
  const shown = [];
  let kept;
  let ends = 0;
  let before = after(-5000);
  const over = () => {
    ends += 1;
    kept.follow(before); // what the server is asked has the same end
  };
  kept = new Kept({ now: NOW, drawn: performance.now(), outage: () => null, shown: (left) => shown.push(left), over });
  kept.follow(before);
  await until(() => ends === 1);
  // Another countdown that begins later ends later: by then the first would have been told again.
  let later = 0;
  countDown({ until: before, now: NOW, drawn: performance.now(), show() {}, over: () => (later = 1) });
  await until(() => later);
  kept.follow(before);
  same([ends, shown.at(-1)], [1, "0:00"]);
  before = after(-4000); // another end counts anew
  kept.follow(before);
  await until(() => ends === 2);
  kept.follow(null);
}

// R3: performance.now() stands while a laptop sleeps; the next look says what time it is.
export function aLookSetsTheClockRightAfterASleep() {
  const shown = [];
  const kept = new Kept({ now: NOW, drawn: performance.now(), outage: () => null, shown: (left) => shown.push(left), over() {} });
  kept.follow(after(3600000));
  kept.learn(after(1800000));
  kept.follow(after(3600000));
  that(["30:00", "29:59", "29:58"].includes(shown.at(-1)), shown.at(-1));
  kept.follow(null);
  kept.follow(after(3600000)); // another attempt, later
  that(["30:00", "29:59", "29:58"].includes(shown.at(-1)), shown.at(-1));
  kept.follow(null);
}

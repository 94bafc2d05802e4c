import { Rest } from "/static/js/seat_map/rest.js";
import { same, that, until } from "./same.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Fingers that go on for longer than they would have to rest. */
async function moveFor(rest, milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end; await pause(10)) rest.moved();
}

// V1: no frame of a pan has to carry what can wait; a quarter of a second after the last movement it is done.
export async function whatCanWaitIsDoneWhenTheMapRests() {
  const rest = new Rest();
  let rested = null;
  rest.moved();
  rest.later(() => (rested = performance.now() - rest.movedAt));
  await moveFor(rest, 600);
  await until(() => rested !== null);
  that(rested >= 250, `done ${rested} ms after a movement`);
}

export async function whereNothingMovesItIsDoneAtOnceAndCanBeCalledOff() {
  const rest = new Rest();
  const done = [];
  rest.later(() => done.push("never"))();
  rest.later(() => done.push("a"));
  rest.later(() => done.push("b"), 5);
  await until(() => done.length === 2);
  same(done, ["a", "b"]);
}

export async function whatIsPutOffCanBeCalledOff() {
  const rest = new Rest();
  const done = [];
  rest.movedAt = performance.now() + 60000; // however late a busy machine looks
  const off = rest.later(() => done.push("never"));
  await pause(20); // it has looked once
  off();
  rest.movedAt = -Infinity;
  rest.later(() => done.push("after"));
  await until(() => done.length);
  same(done, ["after"]);
}

// A slow phone: a picture takes longer than fingers have to rest, and what they did meanwhile is told with the next one.
export async function aPictureThatTakesLongIsNoRest() {
  const rest = new Rest();
  let done = false;
  rest.moved();
  rest.later(() => (done = true));
  for (let picture = 0; picture < 4; picture += 1) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    same(done, false);
    rest.moved();
    for (const end = performance.now() + 300; performance.now() < end; ); // and a timer is due before the next one
  }
  await until(() => done);
}

import { listen } from "/static/js/seat_map/gestures.js";
import { same, that, until } from "./same.js";

/** An element that fingers move over; `done` has a line for each thing that was meant. */
function surface() {
  const element = document.createElement("div");
  element.setPointerCapture = () => {};
  document.body.append(element);
  const done = [];
  const state = { going: false };
  listen(element, {
    pan: () => done.push("pan"),
    zoom: () => done.push("zoom"),
    zoomSoftly: () => done.push("zoomSoftly"),
    tap: () => Boolean(done.push("tap")),
    hover: () => {},
    leave: () => {},
    fit: () => done.push("fit"),
    isStill: () => false,
    isGoing: () => state.going,
  });
  const finger = (type, x, id = 1) =>
    element.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: "touch", clientX: x, clientY: 10, bubbles: true }));
  return { element, done, state, finger };
}

/** Thrown: a finger that is quick when it leaves. Its times are the events' own, so that a slow machine throws as well. */
function thrown({ finger, element }) {
  finger("pointerdown", 0);
  const stamp = Object.getOwnPropertyDescriptor(Event.prototype, "timeStamp");
  let now = 1000;
  Object.defineProperty(Event.prototype, "timeStamp", { configurable: true, get: () => now });
  try {
    for (let i = 1; i <= 6; i += 1) {
      now += 10;
      finger("pointermove", i * 30);
    }
    now += 10;
    finger("pointerup", 190);
  } finally {
    Object.defineProperty(Event.prototype, "timeStamp", stamp);
    element.remove();
  }
}

export async function aThrownMapGlidesOn() {
  const hall = surface();
  thrown(hall);
  const moved = hall.done.length;
  await until(() => hall.done.length > moved + 2);
  same(new Set(hall.done).size, 1);
}

// A seat that was found is shown, and not glided past.
export async function aThrowEndsWhereSomethingIsToBeShown() {
  const hall = surface();
  hall.state.going = true;
  thrown(hall);
  const moved = hall.done.length;
  that(moved >= 5, "it was dragged");
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
  same(hall.done.length, moved);
}

export async function twoFingersZoomAndOneTaps() {
  const { element, done, finger } = surface();
  finger("pointerdown", 0);
  finger("pointerdown", 100, 2);
  finger("pointermove", 150, 2);
  finger("pointerup", 150, 2);
  finger("pointerup", 0);
  same(done, ["pan", "zoom"]);
  finger("pointerdown", 50);
  finger("pointerup", 50);
  same(done.at(-1), "tap");
  element.remove();
}

// V1: where the map lies is asked for once a gesture; with each move it would lay the page out, in the middle of a frame.
export function aFingerThatMovesAsksForNoLayout() {
  const { element, done, finger } = surface();
  let asked = 0;
  element.getBoundingClientRect = () => {
    asked += 1;
    return new DOMRect(0, 0, 100, 100);
  };
  finger("pointerdown", 0);
  for (let x = 20; x <= 80; x += 20) finger("pointermove", x);
  finger("pointerdown", 10, 2);
  finger("pointermove", 5, 2);
  element.remove();
  same([asked, ...new Set(done)], [1, "pan", "zoom"]);
}

import { Viewport } from "/static/js/seat_map/viewport.js";
import { same, that } from "./same.js";

const BOX = { minX: 0, minY: 0, maxX: 1000, maxY: 500 };
const near = (a, b, what) => that(Math.abs(a - b) < 1e-6, `${what}: ${a}, not ${b}`);

function view(width = 1024, height = 624) {
  const viewport = new Viewport(BOX, 10);
  viewport.resize(width, height);
  return viewport;
}

export function theWholeHallFitsAndIsInTheMiddle() {
  const viewport = view();
  near(viewport.scale, 1, "scale"); // 12 pixels of margin on both sides
  const { minX, maxX } = viewport.sight;
  near(minX + maxX, BOX.minX + BOX.maxX, "middle");
  same(viewport.resize(1024, 624), false);
}

export function whatIsFittedLiesBesideWhatCovers() {
  const viewport = view();
  viewport.inset = { top: 0, right: 200, bottom: 0, left: 0 };
  viewport.resize(1224, 624);
  near(viewport.toScreen(500, 0).x, 1024 / 2, "the hall's middle");
}

export function planAndScreenAreEachOthersInverse() {
  const viewport = view();
  viewport.zoom(2.3, 300, 200);
  viewport.pan(-40, 12);
  const { x, y } = viewport.toScreen(123, 456);
  const back = viewport.toPlan(x, y);
  near(back.x, 123, "x");
  near(back.y, 456, "y");
}

export function whatIsUnderTheFingersStaysThere() {
  const viewport = view();
  const before = viewport.toPlan(300, 200);
  viewport.zoom(2, 300, 200);
  const after = viewport.toPlan(300, 200);
  near(after.x, before.x, "x");
  near(after.y, before.y, "y");
}

export function zoomingHasLimits() {
  const viewport = view();
  for (let i = 0; i < 50; i += 1) viewport.zoom(2, 500, 300);
  near(viewport.scale, viewport.largest, "closest");
  for (let i = 0; i < 50; i += 1) viewport.zoom(0.5, 500, 300);
  near(viewport.scale, viewport.fitScale * 0.8, "farthest");
}

export function thePlanCannotBeLost() {
  const viewport = view();
  for (const [dx, dy] of [[9e5, 0], [-9e5, 0], [0, 9e5], [0, -9e5]]) {
    viewport.pan(dx, dy);
    const { minX, minY, maxX, maxY } = viewport.sight;
    that(maxX > BOX.minX && minX < BOX.maxX && maxY > BOX.minY && minY < BOX.maxY, "some of it is in sight");
  }
}

export function aWindowThatChangesKeepsTheFitOrTheMiddle() {
  const viewport = view();
  viewport.resize(512, 624);
  near(viewport.scale, viewport.fitScale, "still fitted");
  viewport.zoom(3, 100, 100);
  const before = viewport.toPlan(256, 312);
  viewport.resize(1024, 1024);
  const after = viewport.toPlan(512, 512);
  near(after.x, before.x, "x");
  near(after.y, before.y, "y");
}

export function aMotionEndsWhereItWasGoing() {
  const viewport = view();
  viewport.showSeat(100, 50, 0, false);
  that(viewport.step(160) && viewport.motion, "under way");
  that(viewport.step(1000) && !viewport.motion, "the last step");
  same(viewport.step(1001), false);
  const middle = viewport.toPlan(512, 312);
  near(middle.x, 100, "x");
  near(middle.y, 50, "y");
  that(viewport.seatPixels >= 12 - 1e-9, "near enough to be picked");
}

export function whereMotionIsUnwantedThereIsNone() {
  const viewport = view();
  viewport.zoomSoftly(2, 500, 300, 0, true);
  same([viewport.motion, viewport.scale > viewport.fitScale], [null, true]);
  viewport.fit(0, true);
  near(viewport.scale, viewport.fitScale, "whole");
  same(viewport.fitted, true);
}

export function anAreaIsShownWholeButNotCloserThanNeeded() {
  const viewport = view();
  viewport.showBox({ minX: 100, minY: 100, maxX: 130, maxY: 120 }, 0, true);
  near(viewport.seatPixels, 15, "a seat's radius");
  viewport.showBox(BOX, 0, true);
  near(viewport.scale, viewport.fitScale, "the whole");
}

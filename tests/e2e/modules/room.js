import { roomFor, sideBySide } from "/static/js/seat_map/room.js";
import { same } from "./same.js";

/** @param {boolean} under whether a section lies under the controls */
const room = (width, height, under, far = true) => {
  const asked = [];
  const { top, right, bottom, left } = roomFor(width, height, sideBySide(width, height), () => far, (_inset, w, h) => {
    asked.push([w, h]);
    return under;
  });
  return { inset: [top, right, bottom, left], asked };
};

// V2: on a phone that stands, the controls are a row above the hall; on one that lies on its side, a column beside it.
export function theControlsLieWhereThereIsMoreRoom() {
  same([sideBySide(390, 600), sideBySide(540, 320), sideBySide(390, 120), sideBySide(900, 1200)], [true, false, true, false]);
}

export function theHallMakesRoomOnlyWhereTheyWouldLieOnIt() {
  same(room(390, 600, false).inset, [0, 0, 18, 0]);
  same(room(390, 600, true).inset, [64, 0, 18, 0]);
  same(room(540, 320, true).inset, [0, 56, 18, 0]);
  same(room(390, 120, true).inset, [0, 152, 18, 0]);
  same([room(390, 600, true).asked, room(540, 320, true).asked], [[[152, 64]], [[68, 162]]]);
}

export function theKeyOfTheMarksHasItsPlaceWhereSeatsAreDrawn() {
  same(room(390, 600, false, false).inset, [0, 0, 64, 0]);
  same(room(900, 600, true, false).inset, [16, 56, 56, 56]);
  same(room(900, 600, true).inset, [16, 56, 18, 56]);
}

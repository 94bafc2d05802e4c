import { bestSeats } from "/static/js/best_seats.js";
import { Plan } from "/static/js/plan.js";
import { fromSeats } from "/static/js/plan_columns.js";
import { same } from "./same.js";

// Two rows of eight, the stage above the middle; an aisle after the fourth seat of each; seat 15 for wheelchairs.
function hall() {
  const seats = [];
  for (let i = 0; i < 16; i += 1) {
    const at = i % 8;
    seats.push({
      ordinal: i, guid: `${i}`, zone: "A", row: i < 8 ? "1" : "2", number: `${at + 1}`, category: i < 8 ? "Near" : "Far",
      x: at * 25 + (at > 3 ? 60 : 0), y: i < 8 ? 0 : 30, r: 10, accessible: i === 15,
    });
  }
  return new Plan(fromSeats({
    name: "", width: 300, height: 100, zones: ["A"], seats,
    categories: [{ name: "Near", color: "#000", price: 2 }, { name: "Far", color: "#000", price: 1 }],
    areas: [{ shape: "rectangle", x: 20, y: -200, rotation: 0, geometry: { width: 100, height: 40 } }],
    row_labels: [],
  }));
}

const board = (...taken) => Uint8Array.from({ length: 16 }, (_, i) => (taken.includes(i) ? 2 : 0));

export function theNearestSeatsSideBySide() {
  same(bestSeats(hall(), board(), 4, null), [0, 1, 2, 3]);
  same(bestSeats(hall(), board(1), 4, null), [8, 9, 10, 11]);
}

// A rectangle drawn below the whole hall is no stage; what says STAGE is, however small.
export function whatSaysStageIsTheStage() {
  const plan = hall();
  plan.areas = [
    { shape: "rectangle", x: -50, y: -300, rotation: 0, geometry: { width: 600, height: 700 } },
    { shape: "rectangle", x: 100, y: 380, rotation: 0, text: "STAGE", geometry: { width: 60, height: 20 } },
  ];
  same(bestSeats(plan, board(), 2, null), [12, 13]);
  plan.areas[1].text = "";
  same(bestSeats(plan, board(), 2, null), [12, 13]);
}

export function neverAcrossAnAisle() {
  same(bestSeats(hall(), board(0, 1, 8, 9), 3, null), [4, 5, 6]);
  same(bestSeats(hall(), board(0, 8, 4, 5, 12, 13), 4, null), null);
}

export function aSingleSeatIsNotLeftAlone() {
  // Of three free ones side by side, two in the middle would leave nobody's seat on each side.
  const pair = bestSeats(hall(), board(), 2, null);
  same([[0, 1], [2, 3]].some((seats) => JSON.stringify(seats) === JSON.stringify(pair)), true);
  same(bestSeats(hall(), board(0), 3, null), [1, 2, 3]);
}

export function categoriesAndGoneSeatsAreHeeded() {
  same(bestSeats(hall(), board(), 2, new Set([1]))[0] >= 8, true);
  same(bestSeats(hall(), board(), 4, null, new Set([2])), [8, 9, 10, 11]);
}

export function wheelchairPlacesOnlyWhenAskedFor() {
  const full = board(...Array.from({ length: 15 }, (_, i) => i));
  same(bestSeats(hall(), full, 1, null), null);
  same(bestSeats(hall(), full, 1, new Set([1])), [15]);
}

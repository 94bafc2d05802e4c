import { load } from "/static/js/i18n.js";
import { seatName } from "/static/js/seat_words.js";
import { same } from "./same.js";

export async function aNameSaysWhatItIsOrIsTold() {
  await load("en", "/static");
  const name = (row, number) => seatName({ zone: "Stalls", row, number });
  same(name("3", "12"), "Stalls, row 3, seat 12");
  same(name("Tisch 5", "Stuhl 1"), "Stalls - Tisch 5 - Stuhl 1");
  same(name("Box 3", "12"), "Stalls - Box 3 - Seat 12");
  same(name("", "12"), "Stalls - Seat 12");
  same(name("3", ""), "Stalls - Row 3");
}

import { load } from "/static/js/i18n.js";
import { SeatFinder } from "/static/js/ops/seat_finder.js";
import { same } from "./same.js";

const SEATS = [
  { zone: "Block D", row: "12", number: "10", category: "Standard" },
  { zone: "Block D", row: "10", number: "12", category: "Standard" },
  { zone: "Main", row: "Tisch 5", number: "Stuhl 1", category: "VIP" },
  { zone: "Row Z", row: "", number: "3", category: "VIP" },
].map((seat, ordinal) => ({ ...seat, ordinal }));

async function found(text) {
  await load("en", "/static");
  const finder = new SeatFinder({});
  finder.plan = { seats: SEATS };
  finder.states = new Uint8Array(SEATS.length);
  return finder.find(text).found.map(({ ordinal }) => ordinal);
}

export async function aSeatIsFoundByItsNameAsItIsPrintedAnywhere() {
  const printed = [
    "Block D, row 12, seat 10", // pages
    "Block D · row 12 · seat 10 (Standard)", // e-mails
    "block d 12열 10번", // in Korean
    "Block D Row 12 Seat 10", // the ticket, copied
    "Block\u00a0D, row 12, seat 10",
  ];
  for (const text of printed) same(await found(text), [0]);
  same(await found("Main - Tisch 5 - Stuhl 1"), [2]);
  same(await found("Row Z - Seat 3"), [3]);
}

export async function elseEveryWordFits() {
  same(await found("12"), [0, 1]);
  same(await found("#2"), [2]);
  same(await found("standard 10-12"), [1]);
  same(await found("nowhere"), []);
}

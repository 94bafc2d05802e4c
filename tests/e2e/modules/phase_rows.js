import { emptyRow, phaseFaults, phasesOf, rowsOf } from "/static/js/ops/phase_rows.js";
import { same } from "./same.js";

const ZONE = "Europe/Berlin";
const row = (changes) => ({ ...emptyRow(), name: "fans", ...changes });
const wrong = (...rows) => phaseFaults(rows, ZONE).map((faults) => [...faults]);

// As in the shell: what does not exist or exists twice is asked about, and never guessed.
export function aTimeThatComesTwiceIsAskedAboutAndOneThatDoesNotIsRefused() {
  const twice = row({ opens_at: "2027-10-31T02:30" });
  same(wrong(twice), [[["opens_at", "time_twice"]]]);
  same(wrong(row({ opens_at: "2027-03-28T02:30" })), [[["opens_at", "time_left_out"]]]);
  const opens = [false, true].map((second) => {
    const one = { ...twice, chosen: new Map([["opens_at", second]]) };
    same(wrong(one), [[]]);
    return phasesOf([one], ZONE)[0].opens_at;
  });
  same(opens, ["2027-10-31T00:30:00.000Z", "2027-10-31T01:30:00.000Z"]);
  const within = { opens_at: "2027-10-31T02:10", closes_at: "2027-10-31T02:50" };
  const chosen = (first, last) => new Map([["opens_at", first], ["closes_at", last]]);
  same(wrong(row({ ...within, chosen: chosen(false, true) })), [[]]);
  same(wrong(row({ ...within, chosen: chosen(true, false) })), [[["closes_at", "phase_closes_at"]]]);
}

export function whatWasNotTouchedStaysAsItWas() {
  const kept = { name: "fans", prequeue_seconds: 0, code_group: null, quota: null, max_seats: null, closes_at: null };
  for (const opens_at of ["2027-10-31T00:30:17Z", "2027-10-31T01:30:17Z", "2027-07-01T10:00:17Z"]) {
    const rows = rowsOf([{ ...kept, opens_at }], ZONE);
    same([wrong(...rows), phasesOf(rows, ZONE)[0].opens_at], [[[]], opens_at]);
  }
  const [other] = rowsOf([{ ...kept, opens_at: "2027-10-31T00:30:17Z" }], ZONE);
  same(phasesOf([{ ...other, chosen: new Map([["opens_at", true]]) }], ZONE)[0].opens_at, "2027-10-31T01:30:00.000Z");
}

export function eachFaultHasASentenceOfItsOwn() {
  const opens_at = "2027-07-01T10:00";
  same(wrong(row({})), [[["opens_at", "phase_opens_at"]]]);
  same(wrong(row({ opens_at, incomplete: new Set(["closes_at"]) })), [[["closes_at", "time"]]]);
  same(wrong(row({ opens_at }), row({ opens_at, quota: "0", max_seats: "x", code_group: "a;b", prequeue_seconds: "-1" })), [
    [],
    [
      ["name", "phase_name"], ["prequeue_seconds", "prequeue_seconds"], ["code_group", "code_group"],
      ["quota", "phase_quota:1000000"], ["max_seats", "max_seats"],
    ],
  ]);
}

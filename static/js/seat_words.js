// What a row or a seat is called: "Row 12" of a bare name; "Tisch 5", "Tisch5" or "1열" as it is, for it says by itself
// what it names: two words, a word before a number, a counter at the end.
// The server has the same rule for e-mails, tickets and pages without script: core/seat_words.py.
import { t } from "./i18n.js";

/** @param {string} name */
export const inWords = (name) => /\S\s+\S|\p{L}{3,}[-.:]?\p{Nd}|\S[열번석列番席排号]$/u.test(name);

/** @param {string} row */
export const rowName = (row) => (!row || inWords(row) ? row : t("seat.row", { row }));

/** @param {string} number */
export const numberName = (number) => (!number || inWords(number) ? number : t("seat.number", { number }));

/**
 * The name of a seat in one line.
 * @param {{zone: string, row: string, number: string}} seat
 */
export function seatName({ zone, row, number }) {
  if (row && number && !inWords(row) && !inWords(number)) return t("seat.full", { zone, row, number });
  return [zone, rowName(row), numberName(number)].filter(Boolean).join(" - ");
}

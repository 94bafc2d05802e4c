// What a row or a seat is called: "Row 12" of a bare name; "Tisch 5" as it is, for it says by itself what it names.
// The server has the same rule for e-mails, tickets and pages without script: core/seat_words.py.
import { t } from "./i18n.js";

/** @param {string} name */
const inWords = (name) => /\S\s+\S/.test(name);

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

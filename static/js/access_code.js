// The code that opens a part of the sale to who has it (F7): when one is asked for, what became of it. No DOM, no network, no
// clock in here.
import { serverNow } from "./state.js";

/** Refusals that are about an access code. */
const ABOUT_CODES = new Set(["code_required", "code_not_valid", "code_used"]);

/**
 * Whether the buyer is asked for an access code (another one) before a place can be asked for.
 * @param {Sale.State} state
 */
export const wantsCode = ({ presence, problem }) => presence === "joining" && ABOUT_CODES.has(problem?.code ?? "");

/**
 * Whether a part of the sale is open to who has a code: one may gather for the next part, or be in by the one for all, and
 * come in by this one.
 * @param {Sale.State} state
 */
export const takesCodes = (state) => openNow(state).some(({ needs_code }) => needs_code);

/**
 * Whether a part of the sale is open to everybody.
 * @param {Sale.State} state
 */
export const takesAll = (state) => openNow(state).some(({ needs_code }) => !needs_code);

/**
 * Whether the code that was taken counts: one of the parts that it was good for is open still.
 * @param {Sale.State} state
 */
export const codeCounts = (state) =>
  state.code?.step === "taken" && partsOfCodes(state).some((name) => state.code?.parts?.includes(name));

/** @param {Sale.State} state */
const partsOfCodes = (state) =>
  openNow(state)
    .filter(({ needs_code }) => needs_code)
    .map(({ name }) => name);

/** @param {Sale.State} state */
function openNow(state) {
  const now = serverNow(state);
  return (state.event?.phases ?? []).filter(
    ({ opens_at, closes_at }) => Date.parse(opens_at) <= now && (closes_at === null || now < Date.parse(closes_at)),
  );
}

/**
 * A place is the answer to a code that was given with the question for it.
 * @param {Sale.State} state
 * @returns {Sale.State["code"]}
 */
export const answered = (state) =>
  state.code?.step === "asked" ? { step: "taken", why: null, parts: partsOfCodes(state) } : state.code;

/**
 * A new connection knows nothing of a code that was on its way. Who has a place is told of it first, which is no answer;
 * then the code is given again. Who has none gives it with the question for one.
 * @param {Sale.State} state
 * @param {boolean} placed
 * @returns {Sale.State["code"]}
 */
export const unanswered = ({ code }, placed) =>
  code?.step === "asked" || code?.step === "given" ? { step: placed ? "given" : "asked", why: null } : code;

/**
 * @param {Sale.State} state
 * @param {{code: string}} problem
 * @returns {Sale.State["code"]}
 */
export function refused({ code, presence }, problem) {
  // Who has no place asks again with the same code, where it is not the code that is wrong.
  const lost = code?.step === "asked" && presence !== "joining";
  if (problem.code === "code_required") return code?.step === "refused" ? code : null;
  const wrong = ABOUT_CODES.has(problem.code) || lost;
  return code && wrong ? { step: "refused", why: problem.code } : code;
}

// The operator's calls. A session that has ended is told to the page, wherever it is noticed.
import { call as plainCall, NoAnswer, Refusal, wentWrong } from "../api.js";

const BASE = "/api/operator";

// Until the page is there nothing has been typed: the sign-in page stands under the same address.
let watch = { ended: () => location.reload(), held: () => {} };
let isEnded = false;
let turns = 0; // of that: what was asked before the last one tells nothing of the session, however late its answer is

/**
 * Who is told that no session is held any more, and that one is again.
 * @param {typeof watch} told
 */
export function watchSession(told) {
  watch = told;
}

/**
 * What an answer says of the session, whose question was asked after `asked` turns.
 * @param {boolean} ended
 * @param {number} asked
 */
function learnt(ended, asked) {
  if (asked !== turns || ended === isEnded) return;
  isEnded = ended;
  turns += 1;
  if (ended) watch.ended();
  else watch.held();
}

/**
 * @param {unknown} error
 * @param {number} asked
 * @returns {unknown} the same, to be thrown
 */
function refused(error, asked) {
  if (error instanceof Refusal && ["sign_in_required", "forbidden"].includes(error.code)) learnt(true, asked);
  return error;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {import("../api.js").Options} [options]
 * @returns {Promise<any>}
 */
async function call(method, path, options) {
  const asked = turns;
  try {
    const { body } = await plainCall(method, path, options);
    if (path.startsWith(BASE)) learnt(false, asked);
    return body;
  } catch (error) {
    throw refused(error, asked);
  }
}

/**
 * A call whose body or answer is a file.
 * @template Taken
 * @param {string} method
 * @param {string} path
 * @param {BodyInit} body
 * @param {string} type
 * @param {(response: Response) => Promise<Taken>} take
 * @returns {Promise<Taken>}
 */
async function file(method, path, body, type, take) {
  const signal = AbortSignal.timeout(LONG);
  const asked = turns;
  let response;
  try {
    response = await fetch(path, { method, body, headers: { "Content-Type": type }, signal });
  } catch (error) {
    throw new NoAnswer(String(error));
  }
  if (!response.ok) throw refused(await wentWrong(response), asked);
  return take(response);
}

export const LONG = 180000; // milliseconds: a whole hall is compared in pages with pauses, a plan may have 64 MB

/** @type {() => Promise<Api.Session>} */
export const session = () => call("GET", `${BASE}/session`, { timeout: 5000 });
/** @type {() => Promise<Api.Overview>} */
export const overview = () => call("GET", `${BASE}/overview`, { timeout: 5000 });
/** @type {(asked: {before?: number | null, subject?: string}) => Promise<Api.AuditPage>} */
export const audit = ({ before, subject }) => {
  const query = new URLSearchParams();
  if (before) query.set("before", String(before));
  if (subject) query.set("subject", subject);
  return call("GET", `${BASE}/audit?${query}`);
};
/** @type {() => Promise<Api.DeadLetterList>} */
export const deadLetters = () => call("GET", `${BASE}/dead-letters`);
/** @type {(ids: number[]) => Promise<Api.Discarded>} */
export const discardDeadLetters = (ids) => call("POST", `${BASE}/dead-letters/discards`, { body: { ids } });
/** @type {(ids: number[] | null) => Promise<Api.Retried>} */
export const retryDeadLetters = (ids) => call("POST", `${BASE}/dead-letters/retries`, { body: ids ? { ids } : {} });
/** @type {() => Promise<Api.PaymentFindings>} */
export const findings = () => call("GET", `${BASE}/payments/findings`);
/** @type {() => Promise<Api.ComparisonsMade>} */
export const compare = () => call("POST", `${BASE}/payments/compare`, { body: {}, timeout: LONG });
/** @type {(id: string, by_hand: boolean) => Promise<Api.PaymentFinding>} */
export const mendFinding = (id, by_hand) =>
  call("POST", `${BASE}/payments/findings/${id}/mend`, { body: { by_hand }, timeout: LONG });
/** @type {() => Promise<Api.OpenSessions>} */
export const sessions = () => call("GET", `${BASE}/sessions`);
/** @type {(id: string) => Promise<void>} */
export const endSession = (id) => call("DELETE", `${BASE}/sessions/${id}`);
/** @type {(provider: string, state: Console.CircuitForce) => Promise<Api.Circuits>} */
export const forceCircuit = (provider, state) => call("POST", `${BASE}/circuits`, { body: { provider, state } });
/** @type {(question: Console.Question & {fix?: boolean}) => Promise<Api.DiagnosisAnswer>} */
export const diagnose = (question) => call("POST", `${BASE}/diagnosis`, { body: question, timeout: 30000 });
/** @type {() => Promise<Api.Currencies>} */
export const currencies = () => call("GET", `${BASE}/currencies`);
/** @type {(plan: string) => Promise<Api.CheckedPlan>} */
export const checkPlan = (plan) => call("POST", `${BASE}/plans/check`, { body: { plan }, timeout: LONG });
export const demonstrationPlan = async () => JSON.stringify(await call("GET", `${BASE}/plans/demonstration`));
/** @type {(sale: Api.NewSale) => Promise<Api.SaleSettings>} */
export const createSale = (sale) => call("POST", `${BASE}/events`, { body: sale, timeout: LONG });
/** @type {(text: string) => Promise<Api.FoundReservations>} */
export const findReservations = (text) => call("POST", `${BASE}/reservations`, { body: { text } });

/** @type {(id: string) => Promise<Api.ReservationAccount>} */
export const account = (id) => call("GET", `${BASE}/reservations/${encodeURIComponent(id)}`, { timeout: 5000 });
/** @type {(id: string, key: string, asked: Api.RefundReservation) => Promise<Api.RefundMade>} */
export const refund = (id, key, asked) =>
  call("POST", `${BASE}/reservations/${encodeURIComponent(id)}/refunds`, {
    body: asked,
    headers: { "Idempotency-Key": key },
    timeout: 30000,
  });

/** @type {(id: string, email: string | null) => Promise<Api.MailAsked>} */
export const mailAgain = (id, email) =>
  call("POST", `${BASE}/reservations/${encodeURIComponent(id)}/mails`, { body: email === null ? {} : { email } });

/** The calls about one sale. */
export class SaleApi {
  /** @param {string} slug */
  constructor(slug) {
    this.slug = slug;
    this.base = `${BASE}/events/${encodeURIComponent(slug)}`;
    this.public = `/api/events/${encodeURIComponent(slug)}`;
  }

  /** @type {() => Promise<Api.SaleFigures>} */
  figures = () => call("GET", `${this.base}/figures`, { timeout: 5000 });
  /** @type {() => Promise<Api.SaleHistory>} */
  history = () => call("GET", `${this.base}/history`);
  /** @type {() => Promise<Api.EventDetails>} */
  event = () => call("GET", this.public);
  /** @type {() => Promise<Api.SaleSettings>} */
  settings = () => call("GET", this.base);
  /** @type {(changes: Api.ChangeSale) => Promise<Api.SaleSettings>} */
  change = (changes) => call("PATCH", this.base, { body: changes });
  /** @type {(picture: File) => Promise<Api.SaleSettings>} */
  bringPicture = (picture) =>
    file("PUT", `${this.base}/picture`, picture, picture.type || "application/octet-stream", (response) =>
      response.json(),
    );
  /** @type {() => Promise<Api.SaleSettings>} */
  takePictureAway = () => call("DELETE", `${this.base}/picture`);
  /** @type {() => Promise<Api.Plan>} */
  plan = () => call("GET", `${this.public}/plan`, { timeout: 60000 });
  /** @type {() => Promise<Api.BoardStates>} */
  board = () => call("GET", `${this.public}/board`);
  /** @type {(name: "open" | "close" | "pause" | "resume") => Promise<Api.SaleControl>} */
  control = (name) => call("POST", `${this.base}/${name}`);
  /** @type {(active_limit: number) => Promise<Api.NewLimit>} */
  limit = (active_limit) => call("POST", `${this.base}/limit`, { body: { active_limit } });
  /** @type {(seats: number[], blocked: boolean) => Promise<Api.BlockedSeats>} */
  block = (seats, blocked) => call("POST", `${this.base}/blocks`, { body: { seats, blocked } });
  /** @type {(seat: number) => Promise<Api.ReleasedSeat>} */
  release = (seat) => call("POST", `${this.base}/releases`, { body: { seat } });
  /** @type {(visitor: string) => Promise<Api.RemovalDone>} */
  remove = (visitor) => call("POST", `${this.base}/removals`, { body: { visitor } });
  /** @type {() => Promise<Api.NetworkList>} */
  networks = () => call("GET", `${this.base}/networks`);
  /** @returns {Promise<Api.WaitingListOfSale>} */
  waitingList = () => call("GET", `${this.base}/returns`);
  /** @type {(network: string, minutes: number) => Promise<unknown>} */
  keepOut = (network, minutes) => call("POST", `${this.base}/removals`, { body: { network, minutes } });
  /** @type {() => Promise<Api.DrawShown>} */
  draw = () => call("GET", `${this.public}/draw`);
  /** @type {(dry_run: boolean) => Promise<Api.Reconciled>} */
  reconcile = (dry_run) => call("POST", `${this.base}/reconcile`, { body: { dry_run }, timeout: LONG });
  /** @type {() => Promise<Api.CodeGroups>} */
  codes = () => call("GET", `${this.base}/codes`);
  /** @type {(asked: Api.MakeCodes) => Promise<Blob>} */
  makeCodes = (asked) =>
    file("POST", `${this.base}/codes`, JSON.stringify(asked), "application/json", (response) => response.blob());
  /** @type {(named: {group: string, uses: number}, codes: Blob) => Promise<Api.ImportedCodes>} */
  bringCodes = ({ group, uses }, codes) => {
    const query = new URLSearchParams({ group, uses: String(uses) });
    return file("POST", `${this.base}/codes/imports?${query}`, codes, "text/csv", (response) => response.json());
  };
  /** @type {(asked: Api.RevokeCodes) => Promise<Api.RevokedCodes>} */
  revokeCodes = (asked) => call("POST", `${this.base}/codes/revocations`, { body: asked });
  /** @type {() => Promise<Api.EventRefundReports>} */
  refunds = () => call("GET", `${this.base}/refunds`, { timeout: 5000 });
  /** @type {(key: string, reason: string) => Promise<Api.EventRefundReport>} */
  refundAll = (key, reason) =>
    call("POST", `${this.base}/refunds`, { body: { reason }, headers: { "Idempotency-Key": key } });
  /** @type {(seat: number) => Promise<Api.SeatFacts>} */
  seat = (seat) => call("GET", `${this.base}/seat?seat=${seat}`);
}

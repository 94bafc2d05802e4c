// The operator's calls. A session that has ended leads to the sign-in page, wherever it is noticed.
import { call as plainCall, Refusal } from "../api.js";

async function call(method, path, options) {
  try {
    return (await plainCall(method, path, options)).body;
  } catch (error) {
    if (error instanceof Refusal && error.code === "forbidden") location.reload();
    throw error;
  }
}

const BASE = "/api/operator";
const LONG = 180000; // milliseconds: a whole hall is compared in pages with pauses, a plan may have 64 MB

export const overview = () => call("GET", `${BASE}/overview`, { timeout: 5000 });
export const audit = ({ before, subject } = {}) => {
  const query = new URLSearchParams();
  if (before) query.set("before", before);
  if (subject) query.set("subject", subject);
  return call("GET", `${BASE}/audit?${query}`);
};
export const deadLetters = () => call("GET", `${BASE}/dead-letters`);
export const retryDeadLetters = (ids) => call("POST", `${BASE}/dead-letters/retries`, { body: ids ? { ids } : {} });
export const forceCircuit = (provider, state) => call("POST", `${BASE}/circuits`, { body: { provider, state } });
export const diagnose = (question) => call("POST", `${BASE}/diagnosis`, { body: question, timeout: 30000 });
export const checkPlan = (plan) => call("POST", `${BASE}/plans/check`, { body: { plan }, timeout: LONG });
export const demonstrationPlan = async () => JSON.stringify(await call("GET", `${BASE}/plans/demonstration`));
export const createSale = (sale) => call("POST", `${BASE}/events`, { body: sale, timeout: LONG });
export const findReservations = (text) => call("POST", `${BASE}/reservations`, { body: { text } });

/** The calls about one sale. */
export class SaleApi {
  constructor(slug) {
    this.slug = slug;
    this.base = `${BASE}/events/${encodeURIComponent(slug)}`;
    this.public = `/api/events/${encodeURIComponent(slug)}`;
  }

  figures = () => call("GET", `${this.base}/figures`, { timeout: 5000 });
  history = () => call("GET", `${this.base}/history`);
  event = () => call("GET", this.public);
  change = (changes) => call("PATCH", this.base, { body: changes });
  plan = () => call("GET", `${this.public}/plan`, { timeout: 60000 });
  board = () => call("GET", `${this.public}/board`);
  control = (name) => call("POST", `${this.base}/${name}`);
  limit = (active_limit) => call("POST", `${this.base}/limit`, { body: { active_limit } });
  block = (seats, blocked) => call("POST", `${this.base}/blocks`, { body: { seats, blocked } });
  release = (seat) => call("POST", `${this.base}/releases`, { body: { seat } });
  remove = (visitor) => call("POST", `${this.base}/removals`, { body: { visitor } });
  reconcile = (dry_run) => call("POST", `${this.base}/reconcile`, { body: { dry_run }, timeout: LONG });
  seat = (seat) => call("GET", `${this.base}/seat?seat=${seat}`);
}

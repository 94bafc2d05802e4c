// The HTTP side: every call of the product's API that a page makes, and what can come back.

/** The server refused: `code` is one of core/errors.py, `data` the problem's further members. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {Partial<Api.Problem> & Record<string, any>} body
   * @param {number | null} retryAfter seconds
   */
  constructor(status, body, retryAfter) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "internal_error";
    this.detail = body.detail ?? "";
    this.data = body;
    this.retryAfter = retryAfter;
  }
}

/**
 * No answer: offline, a refused connection, the time ran out, or a proxy's page in the answer's place. Says nothing about
 * what the server did.
 */
export class NoAnswer extends Error {}

const TIMEOUT = 15000; // milliseconds: longer than any call may take on the server

/** @typedef {{body?: unknown, headers?: Record<string, string>, timeout?: number, keepalive?: boolean}} Options timeout: milliseconds */

/**
 * One call. Resolves to {status, body}, rejects with Refusal or NoAnswer.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{status: number, body: any}>}
 */
export async function call(method, path, { body, headers = {}, timeout = TIMEOUT, keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-cache", // also for a proxy that keeps what it was told not to: what is true is asked for
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
      keepalive,
    });
  } catch (error) {
    throw new NoAnswer(String(error));
  }
  if (!response.ok) throw await wentWrong(response);
  return { status: response.status, body: response.status === 204 ? {} : await bodyOf(response) };
}

/**
 * What a response that is not good says: a problem of the server's own, or nothing.
 * @param {Response} response
 * @returns {Promise<Refusal | NoAnswer>}
 */
export async function wentWrong(response) {
  try {
    const body = await bodyOf(response);
    if (typeof body.code === "string")
      return new Refusal(response.status, body, Number(response.headers.get("Retry-After")) || null);
  } catch {
    // Nobody's, as below.
  }
  return new NoAnswer(`HTTP ${response.status} that is not the server's own`);
}

/**
 * The server answers with an object. Anything else is a proxy's page, or was cut off: nothing that can be relied on.
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function bodyOf(response) {
  try {
    const body = JSON.parse(await response.text());
    if (body instanceof Object) return body;
  } catch {
    // As below.
  }
  throw new NoAnswer("the answer could not be read");
}

/**
 * The calls of one event.
 * @implements {Sale.ChannelApi}
 */
export class EventApi {
  /** @param {string} slug */
  constructor(slug) {
    this.base = `/api/events/${encodeURIComponent(slug)}`;
  }

  /** @returns {Sale.Answer<Api.EventDetails>} */
  event = () => call("GET", this.base);
  /** @returns {Sale.Answer<Api.OutageAnswer>} */
  outage = () => call("GET", "/api/outage", { timeout: 4000 });
  /** @returns {Sale.Answer<Api.Plan>} */
  plan = () => call("GET", `${this.base}/plan`, { timeout: 60000 });
  /** @returns {Sale.Answer<Api.BoardStates>} */
  board = () => call("GET", `${this.base}/board`);
  /**
   * @param {string | null} ticket
   * @param {string | null} [nonce]
   * @param {string | null} [proof]
   * @param {string | null} [code]
   * @returns {Sale.Answer<Api.QueueAnswer>}
   */
  join = (ticket, nonce, proof, code) =>
    call("POST", `${this.base}/queue`, {
      body: {
        ...(ticket ? { ticket } : {}),
        ...(nonce ? { nonce } : {}),
        ...(proof ? { proof } : {}),
        ...(code ? { code } : {}),
      },
    });
  /** @returns {Sale.Answer<Api.QueueAnswer>} */
  place = () => call("GET", `${this.base}/queue`);
  /** @returns {Sale.Answer<Api.QueueAnswer>} */
  beat = () => call("POST", `${this.base}/heartbeat`);
  // Outlives the page that is closed.
  leave = () => call("DELETE", `${this.base}/queue`, { keepalive: true });
  /**
   * @param {number[]} seats
   * @returns {Sale.Answer<Api.HeldSeats>}
   */
  hold = (seats) => call("POST", `${this.base}/holds`, { body: { seats } });
  /**
   * @param {Omit<Wire.Best, "type" | "id">} best
   * @returns {Sale.Answer<Api.HeldSeats>}
   */
  best = (best) => call("POST", `${this.base}/holds`, { body: { best } });
  /** @returns {Sale.Answer<Api.HeldSeats>} */
  basket = () => call("GET", `${this.base}/holds`);
  /** @param {number[]} seats */
  release = (seats) => call("DELETE", `${this.base}/holds?seats=${seats.join(",")}`);
  /** @returns {Sale.Answer<Api.HeldSeats>} */
  extend = () => call("POST", `${this.base}/holds/extend`);
  /**
   * @param {string} key
   * @param {{email: string, provider?: string}} body
   * @returns {Sale.Answer<Api.ReservationState>}
   */
  reserve = (key, body) =>
    call("POST", `${this.base}/reservations`, {
      body,
      headers: { "Idempotency-Key": key },
      timeout: 20000,
    });
}

/** @returns {Sale.Answer<Api.ReservationList>} */
export const reservations = () => call("GET", "/api/reservations");
/**
 * @param {string} id
 * @returns {Sale.Answer<Api.ReservationState>}
 */
export const reservation = (id) => call("GET", `/api/reservations/${encodeURIComponent(id)}`);
/**
 * `seats`: some of a paid reservation; null: all.
 * @param {string} id
 * @param {number[] | null} [seats]
 * @returns {Sale.Answer<Api.ReservationState>}
 */
export const cancel = (id, seats = null) =>
  call("POST", `/api/reservations/${encodeURIComponent(id)}/cancel`, {
    timeout: 30000,
    ...(seats ? { body: { seats } } : {}),
  });
/**
 * The ticket's e-mail once more; `email`: a corrected address, or null.
 * @param {string} id
 * @param {string | null} email
 * @returns {Sale.Answer<Api.MailAsked>}
 */
export const mailAgain = (id, email) =>
  call("POST", `/api/reservations/${encodeURIComponent(id)}/mails`, { body: email === null ? {} : { email } });

/** The calls of one event's waiting list. */
export class ListApi {
  /** @param {string} slug */
  constructor(slug) {
    this.path = `/api/events/${encodeURIComponent(slug)}/returns`;
  }

  /** @returns {Sale.Answer<Api.PlaceInList>} */
  own = () => call("GET", this.path);
  /**
   * @param {{count: number, category?: string, email: string}} wish
   * @returns {Sale.Answer<Api.PlaceInList>}
   */
  join = (wish) => call("POST", this.path, { body: wish });
  leave = () => call("DELETE", this.path);
}

/**
 * The calls of one place in a waiting list: of the visitor's own, or of whom the secret of an e-mail's link was sent to.
 * @param {string} id
 * @param {string | null} secret
 */
export function offered(id, secret) {
  const path = `/api/returns/${encodeURIComponent(id)}`;
  const proof = secret === null ? "" : `?s=${encodeURIComponent(secret)}`;
  return {
    /** @returns {Sale.Answer<Api.PlaceInList>} */
    look: () => call("GET", path + proof),
    /** @returns {Sale.Answer<Api.ReservationState>} */
    take: () => call("POST", `${path}/take${proof}`, { timeout: 20000 }),
    /** @returns {Sale.Answer<Api.PlaceInList>} */
    pass: () => call("POST", `${path}/pass${proof}`),
    leave: () => call("DELETE", path + proof),
  };
}

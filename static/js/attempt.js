// One order has one Idempotency-Key, made once and kept over reloads: a double click, a lost answer or the back button
// repeat the same call and can never make a second order. Money moves later, in the provider's window (pay/page.js).

/**
 * What is kept of an order. `body` is what was sent last, `earlier` what was sent first when the buyer corrected it.
 * @typedef {{email: string, provider?: string}} Body
 * @typedef {{key: string, fence: number | null, body: Body, earlier?: Body}} Attempt
 * @typedef {{email: string, provider?: string | null}} Form
 */

/** @param {string} slug */
const name = (slug) => `onsale.attempt.${slug}`;

/** 128 random bits. Not `crypto.randomUUID`, which browsers keep from pages on plain http. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The order for these seats: the one that was begun for the same hold (its fence says so), or a new one.
 * `provider`: the one that the buyer chose, or null.
 * @param {Sale.Items} storage
 * @param {string} slug
 * @param {number | null} fence
 * @param {Form} form
 * @returns {Attempt}
 */
export function attemptFor(storage, slug, fence, { email, provider = null }, newId = randomId) {
  const begun = read(storage, slug);
  /** @type {Body} */
  const body = { email, ...(provider ? { provider } : {}) };
  if (begun && begun.fence === fence) {
    if (begun.body.email === email && (begun.body.provider ?? null) === provider) return begun;
    // The buyer corrected something: the key stays, so that the server can tell whether the first one had arrived.
    /** @type {Attempt} */
    const corrected = { ...begun, earlier: begun.earlier ?? begun.body, body };
    write(storage, slug, corrected);
    return corrected;
  }
  /** @type {Attempt} */
  const fresh = { key: newId(), fence, body };
  write(storage, slug, fresh);
  return fresh;
}

/**
 * The order is over: answered with a result, or refused in a way that proves nothing was begun.
 * @param {Sale.Items} storage
 * @param {string} slug
 */
export function forget(storage, slug) {
  storage.removeItem(name(slug));
}

/**
 * Whether a refusal with this HTTP status proves that the server has begun nothing under the key.
 * @param {number} status
 */
export function provesNothing(status) {
  return status >= 400 && status < 500 && status !== 409 && status !== 408 && status !== 429;
}

/**
 * @param {Sale.Items} storage
 * @param {string} slug
 * @returns {Attempt | null}
 */
function read(storage, slug) {
  try {
    return JSON.parse(storage.getItem(name(slug)) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {Sale.Items} storage
 * @param {string} slug
 * @param {Attempt} attempt
 */
function write(storage, slug, attempt) {
  storage.setItem(name(slug), JSON.stringify(attempt));
}

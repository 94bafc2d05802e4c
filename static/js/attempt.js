// One attempt to pay has one Idempotency-Key, made once and kept over reloads: a double click, a lost answer or the
// back button repeat the same attempt and can never charge twice.

/**
 * What is kept of an attempt. `body` is what was sent last, `earlier` what was sent first when the buyer corrected it.
 * @typedef {{email: string, payment_key: string}} Body
 * @typedef {{key: string, fence: number | null, card: Sale.Card, body: Body, earlier?: Body}} Attempt
 * @typedef {{email: string, card: Sale.Card, providers?: string[]}} Form
 */

/** @param {string} slug */
const name = (slug) => `onsale.attempt.${slug}`;

/** 128 random bits. Not `crypto.randomUUID`, which browsers keep from pages on plain http. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The attempt for these seats: the one that was begun for the same hold (its fence says so), or a new one.
 * `providers`: those that may be asked for the money; each needs an authorisation of its own. `card` only means something
 * to the payment simulator.
 * @param {Sale.Items} storage
 * @param {string} slug
 * @param {number | null} fence
 * @param {Form} form
 * @returns {Attempt}
 */
export function attemptFor(storage, slug, fence, { email, card, providers = [] }, newId = randomId) {
  const begun = read(storage, slug);
  if (begun && begun.fence === fence) {
    if (begun.body.email === email && begun.card === card) return begun;
    // The buyer corrected something: the key stays, so that the server can tell whether the first one had arrived.
    /** @type {Attempt} */
    const corrected = {
      ...begun,
      card,
      earlier: begun.earlier ?? begun.body,
      body: { email, payment_key: paymentKey(card, providers, newId) },
    };
    write(storage, slug, corrected);
    return corrected;
  }
  /** @type {Attempt} */
  const fresh = { key: newId(), fence, card, body: { email, payment_key: paymentKey(card, providers, newId) } };
  write(storage, slug, fresh);
  return fresh;
}

/**
 * The attempt is over: answered with a result, or refused in a way that proves nothing was begun.
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

// The simulator's test cards (web/paysim/behaviour.py): the key's beginning decides what the bank says.
const TEST_KEYS = { approved: "pk_ok", declined: "pk_declined", unknown: "pk_hang" };

/**
 * What the buyer's payment windows return, as `toss=KEY;kcp=KEY` (docs/payments.md). A shop that is connected to real
 * providers opens their windows here; the simulator has none and takes any key that is not another provider's.
 * @param {Sale.Card} card
 * @param {string[]} providers
 * @param {() => string} newId
 */
function paymentKey(card, providers, newId) {
  const kind = TEST_KEYS[card] ?? "pk";
  if (providers.length === 0) return `${kind}_${newId()}`;
  return providers.map((provider) => `${provider}=${kind}_${provider}_${newId()}`).join(";");
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

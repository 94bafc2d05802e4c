// One order has one Idempotency-Key, made once and kept over reloads: a double click, a lost answer or the back button
// repeat the same call and can never make a second order. Money moves later, in the provider's window (pay/page.js).
import { randomId } from "./random_id.js";

const name = (slug) => `onsale.attempt.${slug}`;

/**
 * The order for these seats: the one that was begun for the same hold (its fence says so), or a new one.
 * `provider`: the one that the buyer chose, or null. Returns {key, fence, body: {email, provider?}}.
 */
export function attemptFor(storage, slug, fence, { email, provider = null }, newId = randomId) {
  const begun = read(storage, slug);
  const body = { email, ...(provider ? { provider } : {}) };
  if (begun && begun.fence === fence) {
    if (begun.body.email === email && (begun.body.provider ?? null) === provider) return begun;
    // The buyer corrected something: the key stays, so that the server can tell whether the first one had arrived.
    const corrected = { ...begun, earlier: begun.earlier ?? begun.body, body };
    write(storage, slug, corrected);
    return corrected;
  }
  const fresh = { key: newId(), fence, body };
  write(storage, slug, fresh);
  return fresh;
}

/** The order is over: answered with a result, or refused in a way that proves nothing was begun. */
export function forget(storage, slug) {
  storage.removeItem(name(slug));
}

/** Whether a refusal with this HTTP status proves that the server has begun nothing under the key. */
export function provesNothing(status) {
  return status >= 400 && status < 500 && status !== 409 && status !== 408 && status !== 429;
}

function read(storage, slug) {
  try {
    return JSON.parse(storage.getItem(name(slug)));
  } catch {
    return null;
  }
}

function write(storage, slug, attempt) {
  storage.setItem(name(slug), JSON.stringify(attempt));
}

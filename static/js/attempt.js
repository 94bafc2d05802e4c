// One attempt to pay has one Idempotency-Key, made once and kept over reloads: a double click, a lost answer or the
// back button repeat the same attempt and can never charge twice.

const name = (slug) => `onsale.attempt.${slug}`;

/**
 * The attempt for these seats: the one that was begun for the same hold (its fence says so), or a new one.
 * `providers`: those that may be asked for the money; each needs an authorisation of its own. `card` only means something
 * to the payment simulator. Returns {key, fence, body: {email, payment_key}}.
 */
export function attemptFor(storage, slug, fence, { email, card, providers = [] }, newId = () => crypto.randomUUID()) {
  const begun = read(storage, slug);
  if (begun && begun.fence === fence) {
    if (begun.body.email === email && begun.card === card) return begun;
    // The buyer corrected something: the key stays, so that the server can tell whether the first one had arrived.
    const corrected = {
      ...begun,
      card,
      earlier: begun.earlier ?? begun.body,
      body: { email, payment_key: paymentKey(card, providers, newId) },
    };
    write(storage, slug, corrected);
    return corrected;
  }
  const fresh = { key: newId(), fence, card, body: { email, payment_key: paymentKey(card, providers, newId) } };
  write(storage, slug, fresh);
  return fresh;
}

/** The attempt is over: answered with a result, or refused in a way that proves nothing was begun. */
export function forget(storage, slug) {
  storage.removeItem(name(slug));
}

/** Whether a refusal with this HTTP status proves that the server has begun nothing under the key. */
export function provesNothing(status) {
  return status >= 400 && status < 500 && status !== 409 && status !== 408 && status !== 429;
}

// The simulator's test cards (web/paysim/behaviour.py): the key's beginning decides what the bank says.
const TEST_KEYS = { approved: "pk_ok", declined: "pk_declined", unknown: "pk_hang" };

/**
 * What the buyer's payment windows return, as `toss=KEY;kcp=KEY` (docs/payments.md). A shop that is connected to real
 * providers opens their windows here; the simulator has none and takes any key that is not another provider's.
 */
function paymentKey(card, providers, newId) {
  const kind = TEST_KEYS[card] ?? "pk";
  if (providers.length === 0) return `${kind}_${newId()}`;
  return providers.map((provider) => `${provider}=${kind}_${provider}_${newId()}`).join(";");
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

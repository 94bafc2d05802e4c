import { attemptFor, forget, provesNothing } from "/static/js/attempt.js";
import { same, that } from "./same.js";

function shop() {
  const items = new Map();
  const storage = {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
  let count = 0;
  const newId = () => `id${(count += 1)}`;
  return { storage, pay: (fence, email, provider) => attemptFor(storage, "x", fence, { email, provider }, newId) };
}

// Rule 2: the same seats and the same form are the same attempt, also after a reload.
export function theSameFormIsTheSameAttempt() {
  const { pay } = shop();
  same(pay(7, "a@b.c"), pay(7, "a@b.c"));
}

export function aCorrectionKeepsTheKeyAndTheFirstForm() {
  const { pay } = shop();
  const first = pay(7, "a@b.c");
  const second = pay(7, "x@y.z");
  const third = pay(7, "k@l.m", "kcp");
  same([second.key, third.key], [first.key, first.key]);
  same([second.earlier, third.earlier], [first.body, first.body]);
  same([second.body.email, third.body.email], ["x@y.z", "k@l.m"]);
  same([second.body.provider, third.body.provider], [undefined, "kcp"]);
}

export function otherSeatsAreAnotherAttempt() {
  const { storage, pay } = shop();
  const first = pay(7, "a@b.c");
  const other = pay(8, "a@b.c");
  that(other.key !== first.key, "another key");
  forget(storage, "x");
  that(pay(8, "a@b.c").key !== other.key, "a forgotten attempt is over");
}

export function brokenStorageBeginsAnew() {
  const { storage, pay } = shop();
  storage.setItem("onsale.attempt.x", "{not json");
  that(pay(7, "a@b.c").key, "a key");
}

export function onlyARefusalThatProvesItEndsAnAttempt() {
  same([400, 403, 408, 409, 422, 429, 500, 503].filter(provesNothing), [400, 403, 422]);
}

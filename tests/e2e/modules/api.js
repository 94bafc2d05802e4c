import { call, NoAnswer, Refusal } from "/static/js/api.js";
import { same, that } from "./same.js";

const PAGE = "<!doctype html><title>Please log in</title>";

/** What becomes of a call to which this comes in answer. */
async function came(body, given) {
  const real = globalThis.fetch;
  globalThis.fetch = async () => new Response(body, given);
  try {
    return await call("POST", "/api/any", { body: {} });
  } catch (error) {
    return error;
  } finally {
    globalThis.fetch = real;
  }
}

// R5: a gateway gave up waiting, or never asked: the page said that nothing was lost, and that it was not to be done again.
export async function aProxysPageIsNoAnswer() {
  for (const status of [200, 201, 202, 400, 403, 404, 407, 409, 429, 500, 502, 503, 504]) {
    for (const body of [PAGE, "", '{"seats": [1', "null", ...(status < 300 ? [] : ['{"error": "Bad gateway"}'])]) {
      const error = await came(body, { status });
      that(error instanceof NoAnswer, `${status} ${body}: ${error}`);
    }
  }
}

export async function whatTheServerSaysIsHeard() {
  const refused = await came('{"code": "seat_taken", "detail": "gone"}', { status: 409, headers: { "Retry-After": "7" } });
  that(refused instanceof Refusal, refused);
  same([refused.status, refused.code, refused.detail, refused.retryAfter], [409, "seat_taken", "gone", 7]);
  same((await came('{"seats": [1]}', { status: 200 })).body, { seats: [1] });
  same((await came(null, { status: 204 })).body, {});
}

// A proxy that keeps what it was told not to showed a buyer without live updates the basket of before, for ever.
export async function nothingThatWasKeptOnTheWayIsTaken() {
  const real = globalThis.fetch;
  const given = [];
  globalThis.fetch = async (path, options) => (given.push(options.cache), new Response("{}"));
  try {
    await call("GET", "/api/any");
  } finally {
    globalThis.fetch = real;
  }
  same(given, ["no-cache"]);
}

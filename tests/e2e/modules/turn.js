import { learnCurrencies, load } from "/static/js/i18n.js";
import { initial } from "/static/js/state.js";
import { reduce } from "/static/js/reducer.js";
import { out } from "/static/js/views/notices.js";
import { confirmed, paying } from "/static/js/views/result.js";
import { turnLeft } from "/static/js/views/time_left.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same, that } from "./same.js";

const NOW = "2030-05-01T20:00:00Z";
const PAYMENT = { order: "o", provider: "toss", state: "OPEN", page: "/pay/o", until: "2030-05-01T20:10:00Z" };
const told = (status, more = {}) => ({ type: "reservation", id: "r", status, seats: [4], amount: 100, currency: "KRW", asked: true, ...more });

/** The text of a view after these messages. */
async function shown(view, ...messages) {
  await load("en", "/static");
  learnCurrencies({ KRW: 0 });
  const state = [
    { type: "tick", local: Date.parse(NOW) },
    { type: "event", event: { status: "open", opens_at: null, closes_at: null, phases: [], max_seats: 4, hold_seconds: 300, session_seconds: 1800 } },
    { type: "welcome", state: "active", now: NOW },
    { type: "admitted", until: "2030-05-01T20:30:00Z" },
    ...messages,
  ].reduce(reduce, initial({ slug: "x" }));
  const host = document.createElement("div");
  render(view({ state, plan: null, act: {}, own: new Set(), board: { ready: false, counts: [] } }), host);
  return host.textContent.replace(/\s+/g, " ");
}

// V3: after a purchase the turn has two minutes; that is said where it is read, or the buyer wonders what became of it.
export async function aTurnThatGetsShorterSaysWhy() {
  const shorter = { type: "admitted", until: "2030-05-01T20:02:00Z" };
  const words = "after a purchase a turn is shorter";
  that((await shown(confirmed, told("CONFIRMED"), shorter)).includes(`You can for another 2:00: ${words}`), "confirmed");
  const map = await shown(({ state }) => turnLeft(state), told("CONFIRMED"), shorter, { type: "dismiss" });
  that(/2:00/.test(map) && /purchase/.test(map), map);
  same(/purchase/.test(await shown(({ state }) => turnLeft(state))), false);
  // After a reload the orders say so; those of an earlier turn say nothing of this one.
  const orders = (created_at, status = "CONFIRMED") => ({ type: "orders", reservations: [{ id: "r", status, seats: [4], created_at }] });
  const turn = ({ state }) => turnLeft(state);
  for (const told of [[orders("2030-05-01T19:58:00Z"), shorter], [shorter, orders("2030-05-01T19:58:00Z")]])
    that(/purchase/.test(await shown(turn, ...told)), "after a reload");
  for (const told of [orders("2030-05-01T19:58:00Z", "CANCELLED"), orders("2030-05-01T19:20:00Z")])
    same(/purchase/.test(await shown(turn, told, shorter)), false);
  const ended = [orders("2030-05-01T19:58:00Z"), shorter, { type: "expired", reason: "session" }];
  that(/tickets/i.test(await shown(out, ...ended)), await shown(out, ...ended));
  same(/tickets/i.test(await shown(out, { type: "expired", reason: "session" })), false);
}

// V3: the seats of the order are kept for its payment, whatever becomes of the turn; and that is said.
export async function aTurnThatEndsInThePaymentLeavesItsSeats() {
  const waits = told("PAYING", { payment: PAYMENT });
  const kept = "These seats stay yours for this payment";
  same((await shown(paying, waits)).includes(kept), false);
  for (const end of [
    { type: "expired", reason: "session" },
    { type: "tick", local: Date.parse("2030-05-01T20:31:00Z") },
  ]) {
    const text = await shown(paying, waits, end);
    that(text.includes(kept) && text.includes("Continue to payment"), text);
  }
}

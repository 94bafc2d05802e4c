// The reservation's page: follows its status (pushed by the channel, looked at as well) and gives it back on request.
import { announce } from "./announce.js";
import { tellInBar } from "./banner.js";
import { cancel, EventApi, Refusal, reservation as look } from "./api.js";
import { Busy } from "./busy.js";
import { byId } from "./dom.js";
import { areAll, costOf, stillThere } from "./giving_back.js";
import { OutageWatch } from "./outage_watch.js";
import { counted, learnCurrencies, load, moment, money, reason, t } from "./i18n.js";
import { Channel } from "./socket.js";
import { TicketMail } from "./ticket_mail.js";
import { answered } from "./pay/clock.js";
import { Kept } from "./pay/kept.js";
import { payWord, wayToPay } from "./views/parts.js";
import { WAITS_FOR_BUYER, whileLost } from "./state.js";
import { waitingTitle } from "./views/result.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { live } from "../vendor/lit-html/directives/live.js";

const LOOK_EVERY = 5000; // milliseconds, while something may still change

const drawn = answered();
const element = byId("status");
const desk = byId("desk");
const {
  id = "",
  slug = "",
  language = "en",
  assets = "",
  alternative = "",
  zone = "UTC",
  now = "",
  off,
  currency = "",
  digits = "0",
} = element.dataset;
/** The event does not take place. */
const isOff = off !== undefined;
const address = byId("buyer-email");
const mailHost = byId("ticket-mail");
const mail = new TicketMail({
  id,
  email: address.textContent ?? "",
  host: mailHost,
  corrected: (email) => {
    address.textContent = email;
  },
});

const page = {
  status: /** @type {Wire.Reservation["status"]} */ (element.dataset.status),
  /** @type {string | null} */
  reason: null,
  /** @type {Api.PaymentState | null} */
  payment: null,
  /** @type {Api.ReceiptOf | null} */
  receipt: null,
  /** What giving the seats back would come to, as the server says. @type {Api.CancelQuote | null} */
  quote: null,
  asking: false,
  /** Those of several seats that are to go back. @type {Set<number>} */
  chosen: new Set(),
  /** @type {string | null} */
  failure: null,
  drawn: false,
};

const busy = new Busy(draw);
const outage = new OutageWatch({
  changed: (kind) => {
    draw();
    const said = tell();
    if (kind) announce(said, { urgent: true });
  },
});
const kept = new Kept({
  now,
  drawn,
  outage: () => outage.outage,
  shown: (left) => {
    const clock = element.querySelector("[data-clock]");
    if (clock) clock.textContent = left;
  },
  over: () => void learn(),
});
/** @type {Sale.Connection} */
let connection = "connecting";

await load(language, assets);
learnCurrencies({ [currency]: Number(digits) });
await learn();

if (page.status === "PAYING") {
  const channel = new Channel({
    slug,
    api: new EventApi(slug),
    onMessage: (message) => {
      // A push says that something changed; what the payment needs now is in the answer of the API.
      if (message.type === "reservation" && message.id === id) learn();
    },
    onStatus: (status) => {
      connection = status;
      tell();
    },
  });
  channel.start();
  outage.start();
  const timer = setInterval(async () => {
    await learn();
    if (page.status !== "PAYING") {
      clearInterval(timer);
      channel.stop();
      outage.stop();
      connection = "online";
      tell();
    }
  }, LOOK_EVERY);
}

/** Says in the bar what is between this page and the result, the connection or an outage; returns the words. */
function tell() {
  const { kind } = outage;
  let [said, words] = ["", ""];
  if (connection === "offline" || (connection === "reconnecting" && !kind)) {
    said = connection;
    words = t(`banner.${connection}${whileLost({ reservation: page, presence: "unknown", ticket: null })}`);
  } else if (kind) {
    said = kind === "over" || kind === "returning" || waitingForBuyer() ? kind : "being_paid";
    words = t(`outage.${said}`);
  }
  tellInBar(said, words);
  return words;
}

async function learn() {
  try {
    take((await look(id)).body);
  } catch {
    draw();
  }
}

/** @param {Pick<Api.ReservationState, "status" | "reason" | "payment" | "receipt" | "cancel">} news */
function take({ status, reason: why, payment, receipt, cancel: quote }) {
  const news = status !== page.status;
  page.status = status;
  page.reason = why ?? null;
  page.payment = payment ?? null;
  if (payment) kept.learn(payment.now);
  page.receipt = receipt ?? null;
  page.quote = quote ?? null;
  page.chosen = stillThere(page.chosen, quoted());
  draw();
  if (news) announce(t(`reservation.status.${status}`), { urgent: true });
}

function giveBack() {
  const all = page.status !== "CONFIRMED" || areAll(page.chosen, quoted());
  if (!all && !page.chosen.size) return;
  const asked = page.chosen;
  page.failure = null;
  void busy.run(
    async () => {
      const { body } = await cancel(id, all ? null : [...page.chosen].sort((a, b) => a - b));
      page.asking = false;
      take(body);
      // The seats that are left, and the sums, as the server writes them.
      if (body.status === "CONFIRMED") location.reload();
    },
    async (error) => {
      page.failure = error instanceof Refusal ? reason(error.code) : t("reservation.no_answer");
      await learn();
      // It was done, only its answer was lost: what is left is shown as after an answer.
      if (page.status === "CONFIRMED" && asked.size && !stillThere(asked, quoted()).size) location.reload();
    },
  );
}

/** @param {boolean} asking */
function ask(asking) {
  page.asking = asking;
  page.chosen = new Set(quoted().map(({ seat }) => seat));
  draw();
  // What it costs may have changed since the page was opened.
  if (asking && page.status === "CONFIRMED") void learn();
  /** @type {HTMLElement | null} */
  const button = desk.querySelector(asking ? "[data-confirm]" : "[data-ask]");
  button?.focus();
}

function draw() {
  const { status } = page;
  const waiting = waitingForBuyer();
  // What comes by itself moves nothing: what is lower than what it comes in the place of leaves its room.
  if (element.dataset.status !== status) element.style.minHeight = `${element.offsetHeight}px`;
  element.dataset.status = status;
  document.querySelector("[data-calendar]")?.classList.toggle("not-any-more", status !== "CONFIRMED");
  const valid = status === "CONFIRMED" && !isOff;
  if (mailHost.hidden && valid) mail.draw();
  mailHost.hidden = !valid;
  // What the server drew made way for what follows changes.
  if (!page.drawn) for (const host of [element, desk]) host.replaceChildren();
  page.drawn = true;
  render(
    html`
      <p class="status-name">
        ${owed() ? t("off.title") : waiting ? waitingTitle(page.reason, waiting.state) : t(`reservation.status.${status}`)}
      </p>
      <p class="status-text">
        ${owed() ? t("off.money") : page.reason ? reason(page.reason) : t(waiting ? "paying.waiting_text" : `reservation.text.${status}`)}
      </p>
      ${page.reason === "provider_unavailable" && alternative ? html`<p class="status-text">${t("payment.instead", { alternative })}</p>` : nothing}
      ${waiting ? html`<p class="pay-clock">${t("paying.kept")} <strong role="timer" data-clock></strong></p>` : nothing}
      ${wayOn(waiting)}
    `,
    element,
  );
  render(
    html`
      ${status === "CONFIRMED" && page.receipt ? receiptOf(page.receipt) : nothing}
      ${valid && page.quote ? html`<p class="quiet" data-testid="cancel-cost">${cost(page.quote)}</p>` : nothing}
      ${page.failure ? html`<p class="callout" data-kind="bad" role="alert">${page.failure}</p>` : nothing}
      ${mayCancel() && !page.asking ? html`<div class="actions"><button type="button" class="button secondary" data-ask @click=${() => ask(true)}>${waiting ? t("paying.give_back") : t("reservation.cancel")}</button></div>` : nothing}
      ${page.asking && mayCancel() ? confirmation() : nothing}
    `,
    desk,
  );
  kept.follow(waiting ? (waiting.retry_until ?? waiting.until) : null);
}

/**
 * The one thing to do next, as the server draws it too.
 * @param {Api.PaymentState | null} waiting
 */
function wayOn(waiting) {
  if (isOff && page.status !== "PAYING")
    return html`<div class="actions"><a class="button secondary" href="/">${t("closed.others")}</a></div>`;
  /** @type {(href: string, words: string) => unknown} */
  const to = (href, words) =>
    html`<div class="actions">
      <a class="button primary" href=${href}>${words}</a>
    </div>`;
  if (waiting)
    return html`<div class="actions">${wayToPay(outage, waiting.page, t("paying.continue"))}</div>
      <p class="field-hint pay-word">${payWord(outage)}</p>`;
  if (page.status === "CONFIRMED") return to(`/reservations/${id}/ticket`, t("confirmed.ticket"));
  // The place of what there will be to do.
  if (page.status === "PAYING")
    return html`<div class="actions not-any-more" aria-hidden="true"><span class="button">&nbsp;</span></div>`;
  return to(`/events/${slug}`, t("reservation.sale"));
}

/** The event does not take place, and the money is on its way. */
function owed() {
  return isOff && page.status === "CONFIRMED";
}

function mayCancel() {
  if (page.status === "PAYING") return page.reason === "payment_parked" || waitingForBuyer() !== null;
  return page.status === "CONFIRMED" && page.quote?.possible !== false;
}

/** @param {Api.CancelQuote} quote */
function cost({ possible, fee, refund, until }) {
  if (!possible) return t("cancel.not_possible");
  const values = {
    fee: money(fee, currency),
    refund: money(refund, currency),
    until: until ? moment(until, zone) : "",
  };
  return fee ? t("cancel.fee", values) : t("cancel.free", values);
}

/** @param {Api.ReceiptOf} receipt */
function receiptOf({ method, approval_number, url, approved_at }) {
  /** @type {(name: string, value: unknown) => unknown} */
  const fact = (name, value) =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  return html`<details class="fold" data-testid="receipt">
    <summary>${t("receipt.title")}</summary>
    <dl class="facts small">
      ${method ? fact(t("receipt.method"), method) : nothing}
      ${approval_number ? fact(t("receipt.approval"), html`<span class="mono">${approval_number}</span>`) : nothing}
      ${approved_at ? fact(t("receipt.approved_at"), moment(approved_at, zone)) : nothing}
      ${url ? fact(t("receipt.title"), html`<a href=${url} rel="noopener noreferrer">${t("receipt.open")}</a>`) : nothing}
    </dl>
  </details>`;
}

/** What the button does. */
function goBack() {
  const some = page.status === "CONFIRMED" && !areAll(page.chosen, quoted());
  return some && page.chosen.size ? counted("reservation.give_back", page.chosen.size) : t("reservation.cancel_yes");
}

/** The attempt that waits for its buyer, while there is one. */
function waitingForBuyer() {
  const { payment } = page;
  return page.status === "PAYING" && payment && WAITS_FOR_BUYER.has(payment.state) ? payment : null;
}

/** The seats of a paid reservation, with their prices. */
const quoted = () => page.quote?.seats ?? [];

/** @param {number} ordinal */
function nameOf(ordinal) {
  /** @type {HTMLElement | null} */
  const seat = document.querySelector(`[data-seat="${ordinal}"] [data-name]`);
  return seat?.dataset.name ?? "";
}

/** Of several seats some can go back: which ones, and what that comes to. */
function choice() {
  const seats = quoted();
  if (page.status !== "CONFIRMED" || !page.quote || seats.length < 2) return nothing;
  /** @param {number} ordinal */
  const toggle = (ordinal) => {
    if (!page.chosen.delete(ordinal)) page.chosen.add(ordinal);
    draw();
  };
  const { fee, refund } = costOf(page.quote, page.chosen);
  const values = { fee: money(fee, currency), refund: money(refund, currency) };
  return html`<fieldset class="give-back">
      <legend>${t("reservation.which")}</legend>
      ${seats.map(
        ({ seat, price }) =>
          html`<label>
            <input
              type="checkbox"
              name="give-back"
              value=${seat}
              .checked=${live(page.chosen.has(seat))}
              ?disabled=${busy.on}
              @change=${() => toggle(seat)}
            />
            <span>${nameOf(seat)}</span> <span>${money(price, currency)}</span>
          </label>`,
      )}
    </fieldset>
    <p aria-live="polite" data-testid="chosen-cost">
      ${!page.chosen.size ? t("reservation.none_chosen") : fee ? t("cancel.chosen_fee", values) : t("cancel.chosen_free", values)}
    </p>`;
}

function confirmation() {
  return html`<div class="confirm" role="group" aria-labelledby="confirm-title">
    <p id="confirm-title"><strong>${t("reservation.cancel_sure")}</strong></p>
    <p>
      ${page.status !== "CONFIRMED" ? t("reservation.cancel_unpaid") : !areAll(page.chosen, quoted()) ? t("reservation.cancel_some") : t("reservation.cancel_text")}
    </p>
    ${choice()}
    <div class="actions">
      <button
        type="button"
        class="button danger"
        data-confirm
        aria-disabled=${busy.on || (page.status === "CONFIRMED" && quoted().length && !page.chosen.size) ? "true" : nothing}
        @click=${giveBack}
      >
        ${busy.on ? t("reservation.cancelling") : goBack()}
      </button>
      <button type="button" class="button secondary" ?disabled=${busy.on} @click=${() => ask(false)}>
        ${t("reservation.cancel_no")}
      </button>
    </div>
  </div>`;
}

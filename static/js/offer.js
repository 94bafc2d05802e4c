// The page of an offer: the seats that the waiting list keeps for somebody, on whichever device the link is opened.
import { announce } from "./announce.js";
import { offered, Refusal } from "./api.js";
import { byId } from "./dom.js";
import { clock, learnCurrencies, load, moment, money, reason, t } from "./i18n.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

const LOOK_EVERY = 20000; // milliseconds

const element = byId("offer");
const { id = "", slug = "", language = "en", assets = "", zone = "UTC", currency = "", digits = "0" } = element.dataset;
const secret = new URLSearchParams(location.search).get("s");
const api = offered(id, secret);

const page = {
  /** @type {Api.PlaceInList | null} */
  place: null,
  busy: false,
  /** @type {string | null} */
  failed: null,
  /** Server's clock minus this machine's, milliseconds. */
  offset: 0,
  /** @type {"passed" | "left" | null} */
  done: null,
};

await load(language, assets);
learnCurrencies({ [currency]: Number(digits) });
await look();
setInterval(draw, 1000);
setInterval(() => {
  if (!page.done && !page.busy && page.place?.offer?.state === "open") look();
}, LOOK_EVERY);

async function look() {
  try {
    const { body, at } = await api.look();
    if (at !== null) page.offset = at - Date.now();
    page.place = body;
    page.failed = null;
  } catch (error) {
    page.failed = error instanceof Refusal ? error.code : "store_unavailable";
  }
  draw();
}

/** @param {() => Promise<void>} work */
async function run(work) {
  if (page.busy) return;
  page.busy = true;
  page.failed = null;
  draw();
  try {
    await work();
  } catch (error) {
    page.failed = error instanceof Refusal ? error.code : "store_unavailable";
    // What the page shows was true before.
    if (error instanceof Refusal) {
      const failed = page.failed;
      await look();
      page.failed = failed;
    }
    announce(reason(page.failed), { urgent: true });
  } finally {
    page.busy = false;
    draw();
  }
}

function take() {
  return run(async () => {
    const { body } = await api.take();
    location.assign(body.status === "PAYING" && body.payment ? body.payment.page : `/reservations/${body.id}`);
    // Until the next page is there nothing can be pressed.
    await new Promise((resolve) => setTimeout(resolve, 10000));
  });
}

function pass() {
  return run(async () => {
    page.place = (await api.pass()).body;
    page.done = "passed";
    announce(t("returns.passed"));
  });
}

function leave() {
  return run(async () => {
    await api.leave();
    page.done = "left";
    announce(t("returns.left_text"));
  });
}

function draw() {
  render(content(), element);
}

function content() {
  const { place, failed, done } = page;
  const trouble = failed ? html`<p class="callout" data-kind="warn" role="alert">${reason(failed)}</p>` : nothing;
  const sale = html`<p class="actions">
    <a class="button secondary" href=${`/events/${slug}`}>${t("returns.sale")}</a>
  </p>`;
  if (done)
    return html`<p class="lead" data-testid="offer-done">
        ${t(done === "passed" ? "returns.passed" : "returns.left_text")}
      </p>
      ${sale}`;
  const offer = place?.offer;
  if (!offer) return html`${trouble}${sale}`;
  if (offer.state === "taken")
    return html`<p class="lead">${place.reservation ? t("returns.taken") : t("returns.taken_elsewhere")}</p>
      ${place.reservation ? html`<p class="actions"><a class="button primary" href=${`/reservations/${place.reservation}`}>${t("returns.taken_link")}</a></p>` : nothing}`;
  const left = (Date.parse(offer.until) - Date.now() - page.offset) / 1000;
  if (offer.state !== "open" || left <= 0)
    return html`<p class="lead" data-testid="offer-over">${t("returns.lapsed")}</p>
      <p>${t("returns.lapsed_text")}</p>
      ${sale}`;
  return html`<p>${t("returns.until", { time: moment(offer.until, zone) })}</p>
    <p class="returns-left" data-urgent=${left <= 60 ? "" : nothing}>${t("returns.left", { time: clock(left) })}</p>
    ${trouble}
    <p class="actions">
      <button type="button" class="button primary" data-testid="take" ?disabled=${page.busy} @click=${take}>
        ${page.busy ? t("returns.joining") : t("returns.take", { amount: money(offer.amount, offer.currency) })}
      </button>
      <button type="button" class="button secondary" data-testid="pass" ?disabled=${page.busy} @click=${pass}>
        ${t("returns.pass")}
      </button>
    </p>
    <p class="quiet">
      <button type="button" class="link" ?disabled=${page.busy} @click=${leave}>${t("returns.leave")}</button>
    </p>`;
}

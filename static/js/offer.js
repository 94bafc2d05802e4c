// The page of an offer: the seats that the waiting list keeps for somebody, on whichever device the link is opened.
import { offered as callsOf } from "./api.js";
import { gone } from "./busy.js";
import { byId } from "./dom.js";
import { clock, learnCurrencies, load, moment, money, reason, t } from "./i18n.js";
import { Offered } from "./offered.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

const element = byId("offer");
const { id = "", slug = "", language = "en", assets = "", zone = "UTC", currency = "", digits = "0" } = element.dataset;
const secret = new URLSearchParams(location.search).get("s");

await load(language, assets);
learnCurrencies({ [currency]: Number(digits) });
const offered = new Offered({
  api: callsOf(id, secret),
  changed: draw,
  go(path) {
    location.assign(path);
    return gone();
  },
});
await offered.look();
setInterval(() => {
  offered.tick();
  draw();
}, 1000);

function draw() {
  render(content(), element);
}

function content() {
  const { place, failed, done, busy } = offered;
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
      ${place.reservation ? html`<p class="actions"><a class="button primary" href=${`/reservations/${place.reservation}`}>${t("returns.taken_link")}</a></p>` : sale}`;
  const left = offered.left / 1000;
  if (offer.state !== "open" || left <= 0)
    return html`<p class="lead" data-testid="offer-over">${t("returns.lapsed")}</p>
      <p>${t("returns.lapsed_text")}</p>
      ${sale}`;
  return html`<p>${t("returns.until", { time: moment(offer.until, zone) })}</p>
    <p class="returns-left" data-urgent=${left <= 60 ? "" : nothing}>${t("returns.left", { time: clock(left) })}</p>
    ${trouble}
    <p class="actions">
      <button
        type="button"
        class="button primary"
        data-testid="take"
        ?disabled=${busy.on}
        @click=${() => offered.take()}
      >
        ${busy.on ? t("returns.joining") : t("returns.take", { amount: money(offer.amount, offer.currency) })}
      </button>
      <button
        type="button"
        class="button secondary"
        data-testid="pass"
        ?disabled=${busy.on}
        @click=${() => offered.pass()}
      >
        ${t("returns.pass")}
      </button>
    </p>
    <p class="quiet">
      <button type="button" class="link" ?disabled=${busy.on} @click=${() => offered.leave()}>
        ${t("returns.leave")}
      </button>
    </p>`;
}

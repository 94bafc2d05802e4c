// Before the sale, and in the queue.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { wantsCode } from "../access_code.js";
import { counted, moment, number, reason, t } from "../i18n.js";
import { opensAt, secondsLeft } from "../state.js";
import { band, progress } from "../wait.js";
import { codeForm, ownCode } from "./access_code.js";
import { checkLink } from "./parts.js";
import { heldAhead } from "./sold_out.js";

/** @param {Sale.WithEvent<Sale.Model>} model */
export function before({ state, act }) {
  const { event } = state;
  const opens = opensAt(state);
  const left = opens ? secondsLeft(state, Date.parse(opens)) : null;
  return html`<section class="waiting">
    <p class="eyebrow">${event.name}</p>
    <h1 tabindex="-1" data-focus>${left === null ? t("before.soon") : t("before.title")}</h1>
    ${left === null ? nothing : clockFace(left)}
    ${opens ? html`<p class="lead"><time datetime=${opens}>${moment(opens, event.time_zone)}</time></p>` : nothing}
    ${phases(event)}
    ${nextSteps(event.gathers_at ? [t("before.gathers", { time: moment(event.gathers_at, event.time_zone) }), t("gather.next.1"), t("before.next.3")] : [opens ? t("before.next.1") : t("before.unset.1"), t("before.next.2"), t("before.next.3")])}
    ${notify(state.ui, act)}
  </section>`;
}

/**
 * The parts of the sale: when each opens, and who needs a code for it.
 * @param {Api.EventDetails} event
 */
function phases({ phases: parts, time_zone }) {
  if (!parts.length) return nothing;
  return html`<section class="parts" data-testid="phases">
    <h2>${t("before.phases")}</h2>
    <ul>
      ${parts.map(
        ({ name, opens_at, closes_at, needs_code, max_seats }) =>
          html`<li>
            <strong>${name}</strong>
            <span>
              ${closes_at ? t("before.phase.until", { from: moment(opens_at, time_zone), to: moment(closes_at, time_zone) }) : t("before.phase.from", { from: moment(opens_at, time_zone) })}
            </span>
            ${needs_code ? html`<span>${t("before.phase.code")}</span>` : nothing}
            ${max_seats === null ? nothing : html`<span>${counted("before.phase.seats", max_seats)}</span>`}
          </li>`,
      )}
    </ul>
  </section>`;
}

/** @param {number} left seconds */
export function clockFace(left) {
  const whole = Math.ceil(left);
  /** @type {[string, number][]} */
  const parts = [
    ["time.unit.days", Math.floor(whole / 86400)],
    ["time.unit.hours", Math.floor(whole / 3600) % 24],
    ["time.unit.minutes", Math.floor(whole / 60) % 60],
    ["time.unit.seconds", whole % 60],
  ];
  const shown = parts[0][1] ? parts : parts.slice(1);
  return html`<div class="clock-face" role="timer" aria-label=${t("before.title")}>
    ${shown.map(
      ([unit, value]) =>
        html`<div class="clock-part">
          <span class="clock-value">${String(value).padStart(2, "0")}</span>
          <span class="clock-unit">${t(unit)}</span>
        </div>`,
    )}
  </div>`;
}

/** @param {Sale.WithEvent<Sale.Model>} model */
export function waiting(model) {
  const { state, act } = model;
  const { queue, event } = state;
  if (!queue) return joining(model);
  const part = progress(queue.firstAhead, queue.ahead);
  // One at a time, which has room there: a pause is told with the wait as well.
  const held = heldAhead(model);
  const notes = held.length ? held : pausedAhead(event);
  return html`<section class="waiting">
    <p class="eyebrow">${event.name}</p>
    <h1 tabindex="-1" data-focus>${t("queue.title")}</h1>
    <p class="place" data-testid="place">
      <span class="place-number">${number(queue.ahead + 1)}</span>
      <span class="place-label">${t("queue.place")}</span>
    </p>
    <progress class="meter" max="1" .value=${part} aria-label=${t("queue.progress")}></progress>
    <dl class="facts">
      <div>
        <dt>${t("queue.ahead_label")}</dt>
        <dd>${counted("queue.ahead", queue.ahead)}</dd>
      </div>
      <div>
        <dt>${t("queue.wait_label")}</dt>
        <dd>${event.paused ? t("queue.paused_short") : waitWords(queue.wait)}</dd>
      </div>
      <div>
        <dt>${t("queue.behind_label")}</dt>
        <dd>${counted("queue.behind", Math.max(0, queue.waiting - queue.ahead - 1))}</dd>
      </div>
      <div>
        <dt>${t("queue.number_label")}</dt>
        <dd>${number(queue.number)}</dd>
      </div>
    </dl>
    ${state.lapsed ? html`<p class="callout" data-kind="warn">${t("queue.lapsed")}</p>` : nothing} ${model.returns}
    ${ownCode(model)} ${nextSteps([t("queue.next.1"), t("queue.next.2"), t("queue.next.3")], notes)}
    ${notify(state.ui, act)}
    ${state.entry ? html`<p class="quiet" data-testid="check-draw">${checkLink(state)}</p>` : nothing}
    <p class="quiet">
      <a href="/events/${encodeURIComponent(state.slug)}/waits" target="_blank" rel="noopener">${t("waits.title")}</a>
    </p>
    <p class="quiet"><button type="button" class="link" @click=${act.leave}>${t("queue.leave")}</button></p>
  </section>`;
}

/** @param {{low: number, high: number} | null} wait seconds */
export function waitWords(wait) {
  const told = band(wait);
  if (told === null) return t("queue.wait.unknown");
  if (told.kind === "soon") return t("queue.wait.soon");
  return t(`queue.wait.${told.kind}`, { from: number(told.from), to: number(told.to) });
}

/** @param {Sale.Model} model */
export function joining(model) {
  const { state } = model;
  if (wantsCode(state)) return codeForm(model);
  if (state.price) return priced(model);
  return html`<section class="waiting">
    <p class="eyebrow">${state.event?.name ?? ""}</p>
    <h1 tabindex="-1" data-focus>${t("joining.title")}</h1>
    <progress class="meter" aria-label=${t("joining.title")}></progress>
    ${state.problem ? html`<p class="callout" data-kind="warn">${reason(state.problem.code)}</p>` : html`<p class="lead">${t("joining.text")}</p>`}
  </section>`;
}

/**
 * Many places are taken from this network: what the browser does about it, or what its owner can do.
 * @param {Sale.Model} model
 */
function priced({ state, act, captcha }) {
  const { price, event } = state;
  return html`<section class="waiting" data-testid="price" data-price=${price}>
    <p class="eyebrow">${event?.name ?? ""}</p>
    <h1 tabindex="-1" data-focus>${t(price === "working" ? "joining.title" : `price.${price}.title`)}</h1>
    ${price === "working" ? html`<progress class="meter" aria-label=${t("price.working.title")}></progress>` : nothing}
    <p class="lead">${t(`price.${price}.text`)}</p>
    ${price === "captcha" ? captcha : nothing}
    ${price === "failed" ? html`<button type="button" class="button primary" @click=${act.pay}>${t("price.again")}</button>` : nothing}
    ${price === "insecure" && location.protocol === "http:" ? html`<p><a class="button primary" href=${`https://${location.host}${location.pathname}`}>${t("price.insecure.open")}</a></p>` : nothing}
    <p class="quiet">${t("price.why")}</p>
  </section>`;
}

/** @param {Api.EventDetails} event */
const pausedAhead = ({ paused }) =>
  paused ? [html`<p class="callout" data-kind="warn">${t("queue.paused")}</p>`] : [];

/**
 * `notes`, which come and go while the page is read, stand in the place of the steps: nothing moves.
 * @param {string[]} steps
 * @param {unknown[]} notes
 */
export function nextSteps(steps, notes = []) {
  return html`<section class="next">
    <h2>${t("queue.next")}</h2>
    <div class="next-steps">
      <ol>
        ${steps.map((step) => html`<li>${step}</li>`)}
      </ol>
      ${notes.length ? html`<div class="next-notes">${notes}</div>` : nothing}
    </div>
  </section>`;
}

/**
 * @param {Sale.Ui} ui
 * @param {Sale.Act} act
 */
export function notify(ui, act) {
  if (ui.notify) return html`<p class="notify-on"><span aria-hidden="true">✓</span> ${t("notify.on")}</p>`;
  return html`<button type="button" class="button secondary" @click=${act.notify}>${t("notify.ask")}</button>`;
}

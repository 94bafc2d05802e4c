// Small pieces that several views share.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { whatIsWrong, WRONG } from "../email_words.js";
import { t } from "../i18n.js";
import { mayPay } from "../outage.js";

/**
 * A centred page of one message: `actions` are buttons, `extra` anything below them.
 * @param {{kind?: string, eyebrow?: string, title: string, text?: string, actions?: unknown, extra?: unknown}} content
 */
export function notice({ kind = "plain", eyebrow, title, text, actions = nothing, extra = nothing }) {
  return html`<section class="notice" data-kind=${kind}>
    ${eyebrow ? html`<p class="eyebrow">${eyebrow}</p>` : nothing}
    <h1 tabindex="-1" data-focus>${title}</h1>
    ${text ? html`<p class="lead">${text}</p>` : nothing}
    <div class="actions">${actions}</div>
    ${extra}
  </section>`;
}

/** The shapes of the map's seats, for a legend in the page. */
export const LOOKS = ["free", "own", "held", "sold"];
/** @param {string} look */
export const glyph = (look) => html`<span class="glyph" data-look=${look} aria-hidden="true"></span>`;

export const spinner = () => html`<span class="spinner" aria-hidden="true"></span>`;

/**
 * What is said below what leads to paying: that it is off, or that nobody is charged twice. Its room is always there
 * (`pay-word`), and nothing moves.
 * @param {Pick<Sale.State, "outage">} state
 */
export const payWord = (state) => (mayPay(state) ? t("checkout.once") : t("outage.pay_off"));

/**
 * The way to the payment page, which could not be drawn while a store is away: then it leads nowhere, and nothing is lost.
 * @param {Pick<Sale.State, "outage">} state
 * @param {string} href
 * @param {string} words
 */
export function wayToPay(state, href, words) {
  const off = !mayPay(state);
  return html`<a
    class="button primary"
    data-testid="continue-paying"
    href=${off ? nothing : href}
    role=${off ? "link" : nothing}
    aria-disabled=${off ? "true" : nothing}
    >${words}</a
  >`;
}

/** @param {Sale.State} state */
export function checkLink({ slug }) {
  return html`<a href="/events/${encodeURIComponent(slug)}/draw" target="_blank" rel="noopener"
    >${t("gather.check")}</a
  >`;
}

/**
 * Where an e-mail is to go. `wrong`: the server has refused what is typed; `input`: hears each change.
 * @param {object} shown
 * @param {string} shown.label
 * @param {string} shown.email what is typed
 * @param {string} [shown.id]
 * @param {string} [shown.hint]
 * @param {boolean} [shown.wrong]
 * @param {boolean} [shown.disabled]
 * @param {((event: InputOf<HTMLInputElement>) => void) | null} [shown.input]
 */
export function emailField({ label, email, id = "email", hint = "", wrong = false, disabled = false, input = null }) {
  const said = [wrong ? `${id}-wrong` : "", hint ? `${id}-hint` : ""].filter(Boolean).join(" ");
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input
      id=${id}
      name="email"
      type="email"
      inputmode="email"
      autocomplete="email"
      required
      maxlength="254"
      .value=${email}
      aria-describedby=${said || nothing}
      aria-invalid=${wrong ? "true" : nothing}
      ?disabled=${disabled}
      @input=${input}
    />
    ${wrong ? html`<p class="field-wrong" id="${id}-wrong" role="alert">${WRONG[whatIsWrong(email)]()}</p>` : nothing}
    ${hint ? html`<p class="field-hint" id="${id}-hint">${hint}</p>` : nothing}
  </div>`;
}

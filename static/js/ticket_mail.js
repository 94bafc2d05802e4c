// The ticket's e-mail once more, to the buyer's address or to a corrected one: on the reservation's page.
import { announce } from "./announce.js";
import { mailAgain, Refusal } from "./api.js";
import { Busy } from "./busy.js";
import { reason, spokenClock, t } from "./i18n.js";
import { emailField } from "./views/parts.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";

export class TicketMail {
  /**
   * @param {{id: string, email: string, host: HTMLElement, corrected?: (email: string) => void}} parts `corrected`: the
   * address is another one now
   */
  constructor({ id, email, host, corrected = () => {} }) {
    this.id = id;
    this.email = email;
    this.host = host;
    this.corrected = corrected;
    this.open = false;
    this.typed = "";
    this.wrong = false;
    this.failure = "";
    this.said = "";
    this.busy = new Busy(() => this.draw());
  }

  /** @param {boolean} open */
  #turn(open) {
    Object.assign(this, { open, typed: open ? this.email : "", wrong: false, failure: "", said: "" });
    this.draw();
    /** @type {HTMLElement | null} */
    const next = this.host.querySelector(open ? "input" : "[data-correct]");
    next?.focus();
  }

  /** @param {string | null} email a corrected one */
  #send(email) {
    Object.assign(this, { wrong: false, failure: "", said: "" });
    return this.busy.run(
      async () => {
        const { body } = await mailAgain(this.id, email);
        this.open = false;
        this.email = body.email;
        const told = { email: body.email };
        this.said = body.corrected ? t("ticket_mail.corrected", told) : t("ticket_mail.sent", told);
        announce(this.said);
        if (body.corrected) this.corrected(body.email);
      },
      (error) => {
        this.wrong = email !== null && error instanceof Refusal && error.code === "invalid_request";
        this.failure = this.wrong ? "" : why(error);
      },
    );
  }

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    await this.#send(this.typed.trim());
    if (this.wrong) this.host.querySelector("input")?.focus();
  };

  draw() {
    const { email, open, said, failure } = this;
    render(
      html`<h2 id="ticket-mail-title" class="visually-hidden">${t("ticket_mail.title")}</h2>
        ${said ? html`<p class="callout" data-kind="good" data-testid="mailed">${said}</p>` : html`<p>${t("ticket_mail.to", { email })}</p>`}
        ${failure ? html`<p class="callout" data-kind="bad" role="alert">${failure}</p>` : nothing}
        ${open ? this.#form() : this.#buttons()}`,
      this.host,
    );
  }

  #buttons() {
    const { on } = this.busy;
    return html`<div class="actions">
      <button
        type="button"
        class="link"
        data-testid="mail-again"
        aria-disabled=${on ? "true" : nothing}
        @click=${() => this.#send(null)}
      >
        ${on ? t("ticket_mail.sending") : t("ticket_mail.send")}
      </button>
      <button type="button" class="link" data-correct ?disabled=${on} @click=${() => this.#turn(true)}>
        ${t("ticket_mail.correct")}
      </button>
    </div>`;
  }

  #form() {
    const { on } = this.busy;
    return html`<form class="form" novalidate @submit=${this.#submit}>
      ${emailField({
        label: t("ticket_mail.address"),
        hint: t("ticket_mail.address_hint"),
        email: this.typed,
        wrong: this.wrong,
        disabled: on,
        input: (event) => {
          this.typed = event.target.value;
        },
      })}
      <div class="actions">
        <button type="submit" class="button primary" aria-disabled=${on ? "true" : nothing}>
          ${on ? t("ticket_mail.sending") : t("ticket_mail.go")}
        </button>
        <button type="button" class="button secondary" ?disabled=${on} @click=${() => this.#turn(false)}>
          ${t("ticket_mail.keep")}
        </button>
      </div>
    </form>`;
  }
}

const SOON = 3600; // seconds: what lies further ahead is told as tomorrow

/** @param {unknown} error */
function why(error) {
  if (!(error instanceof Refusal)) return t("ticket_mail.no_answer");
  if (error.code !== "mailed_often" || !error.retryAfter) return reason(error.code);
  const when =
    error.retryAfter > SOON
      ? t("ticket_mail.tomorrow")
      : t("payment.again_in", { time: spokenClock(error.retryAfter) });
  return `${reason(error.code)} ${when}`;
}

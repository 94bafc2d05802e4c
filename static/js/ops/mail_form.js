// A buyer's ticket by e-mail once more, to the address that there is or to a corrected one.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { field } from "./field.js";
import { why } from "./notice.js";
import { either, said } from "./parts.js";

export class MailForm {
  /**
   * `corrected()` is called when the buyer's address is another one now.
   * @param {{id: string, draw: () => void, corrected: () => void}} parts
   */
  constructor({ id, draw, corrected }) {
    this.reservation = id;
    this.redraw = draw;
    this.corrected = corrected;
    this.id = "mail";
    this.fields = { mail_address: "" };
    /** @type {Map<string, string>} */
    this.wrong = new Map();
    this.pressed = false;
    this.sent = "";
    this.failure = "";
    this.busy = new Busy(draw);
  }

  /**
   * @param {string} _
   * @param {HTMLInputElement} input
   */
  typed = (_, input) => {
    this.fields.mail_address = input.value;
    this.redraw();
  };

  /** @param {Event} event */
  #submit = async (event) => {
    event.preventDefault();
    const address = this.fields.mail_address.trim();
    Object.assign(this, { sent: "", failure: "", pressed: true });
    await this.busy.run(
      async () => {
        const made = await api.mailAgain(this.reservation, address || null);
        const { email } = made;
        this.sent = made.corrected ? t("ops.mail.corrected", { email }) : t("ops.mail.sent", { email });
        this.fields.mail_address = "";
        if (made.corrected) this.corrected();
      },
      (error) => {
        this.failure = why(error);
      },
    );
  };

  /** @param {Api.ReservationAccount} account */
  card({ status }) {
    const { on } = this.busy;
    const open = status === "CONFIRMED";
    const address = this.fields.mail_address.trim();
    return html`<section class="card" aria-labelledby="desk-mail">
      <h2 id="desk-mail">${t("ops.mail.title")}</h2>
      <form class="sale-form" novalidate @submit=${this.#submit}>
        <fieldset class="whole" ?disabled=${!open}>
          ${field(this, "mail_address", { mode: "email", lower: true, hint: t("ops.mail.hint") })}
        </fieldset>
        ${either(
          open,
          html`<button class="button small secondary waits" type="submit" aria-busy=${on} aria-disabled=${on || !open}>
            <span>${address ? t("ops.mail.correct") : t("ops.mail.go")}</span>
            ${on ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
          </button>`,
          t(`reservation.status.${open ? "CANCELLED" : status}`),
        )}
      </form>
      ${said(
        this.pressed,
        html`${this.sent ? html`<p class="callout" data-kind="good" role="status" data-testid="mailed">${this.sent}</p>` : nothing}
        ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}`,
      )}
    </section>`;
  }
}

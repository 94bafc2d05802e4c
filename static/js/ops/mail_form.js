// A buyer's ticket by e-mail once more, to the address that there is or to a corrected one.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { field } from "./field.js";
import { why } from "./notice.js";

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
    this.said = "";
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
    Object.assign(this, { said: "", failure: "" });
    await this.busy.run(
      async () => {
        const made = await api.mailAgain(this.reservation, address || null);
        const { email } = made;
        this.said = made.corrected ? t("ops.mail.corrected", { email }) : t("ops.mail.sent", { email });
        this.fields.mail_address = "";
        if (made.corrected) this.corrected();
      },
      (error) => {
        this.failure = why(error);
      },
    );
  };

  card() {
    const { on } = this.busy;
    const address = this.fields.mail_address.trim();
    return html`<section class="card" aria-labelledby="desk-mail">
      <h2 id="desk-mail">${t("ops.mail.title")}</h2>
      ${this.said ? html`<p class="callout" data-kind="good" role="status" data-testid="mailed">${this.said}</p>` : nothing}
      ${this.failure ? html`<p class="callout" data-kind="bad" role="alert">${this.failure}</p>` : nothing}
      <form class="sale-form" novalidate @submit=${this.#submit}>
        ${field(this, "mail_address", { mode: "email", lower: true, hint: t("ops.mail.hint") })}
        <div class="actions">
          <button class="button small secondary" type="submit" aria-disabled=${on}>
            ${address ? t("ops.mail.correct") : t("ops.mail.go")}
          </button>
        </div>
      </form>
    </section>`;
  }
}

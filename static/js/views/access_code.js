// The field for an access code: alone where one is wanted, folded where one can do without.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { codeCounts, takesAll, takesCodes } from "../access_code.js";
import { moment, reason, t } from "../i18n.js";
import { serverNow } from "../state.js";

/**
 * The part of the sale that is open wants an access code; or the one that was given is not good, and there is a part for all.
 * @param {Sale.Model} model
 */
export function codeForm({ state, act }) {
  const all = takesAll(state);
  const general = state.event?.phases.find(
    (phase) => !phase.needs_code && Date.parse(phase.opens_at) > serverNow(state),
  );
  return html`<section class="waiting" data-testid="code-form">
    <p class="eyebrow">${state.event?.name ?? ""}</p>
    <h1 tabindex="-1" data-focus>${t("entry.code_title")}</h1>
    <p class="lead">${all ? t("entry.code_either") : t("entry.code_text")}</p>
    ${codeFields({ state, act })}
    ${all ? html`<button type="button" class="button secondary" @click=${act.noCode}>${t("entry.code_without")}</button>` : nothing}
    ${general && state.event ? html`<p class="quiet">${t("entry.code_general", { time: moment(general.opens_at, state.event.time_zone) })}</p>` : nothing}
  </section>`;
}

/**
 * For who is in, or waits, while a part of the sale is open to codes: a field for one, or that it counts.
 * @param {Pick<Sale.Model, "state" | "act">} model
 */
export function ownCode({ state, act }) {
  if (!takesCodes(state)) return nothing;
  if (codeCounts(state))
    return takesAll(state)
      ? html`<p class="code-taken" data-testid="code-taken" tabindex="-1">
          <span aria-hidden="true">✓</span> ${t("entry.code_taken")}
        </p>`
      : nothing;
  const open = state.ui.code !== null || state.code?.step === "refused" || state.refusal?.code === "code_required";
  return html`<details class="own-code" data-testid="own-code" ?open=${open} @toggle=${inSight}>
    <summary>${state.presence === "entered" ? t("gather.code") : t("entry.code_have")}</summary>
    ${codeFields({ state, act })}
  </details>`;
}

/** What was opened may lie below the edge of a sheet. @param {InputOf<HTMLDetailsElement>} event */
const inSight = ({ target }) => target.open && target.scrollIntoView({ block: "nearest" });

/**
 * The code itself, and what is wrong with the one before.
 * @param {Pick<Sale.Model, "state" | "act">} model
 */
function codeFields({ state, act }) {
  const wrong = state.code?.step === "refused" ? reason(state.code.why) : null;
  /** @param {InputOf<HTMLFormElement>} event */
  const submit = (event) => {
    event.preventDefault();
    const code = String(new FormData(event.target).get("code") ?? "").trim();
    if (code) act.giveCode(code);
  };
  return html`<form class="code-form" @submit=${submit}>
    <label for="code">${t("entry.code_label")}</label>
    <input
      id="code"
      name="code"
      type="text"
      maxlength="100"
      autocomplete="off"
      autocapitalize="characters"
      spellcheck="false"
      required
      .value=${state.ui.code ?? ""}
      @input=${act.codeText}
      aria-invalid=${wrong ? "true" : "false"}
      aria-describedby=${wrong ? "code-wrong" : nothing}
    />
    ${wrong ? html`<p class="field-error" id="code-wrong" role="alert">${wrong}</p>` : nothing}
    <button class="button ${state.presence === "active" ? "secondary" : "primary"}" type="submit">
      ${state.presence === "waiting" || state.presence === "active" ? t("entry.code_use") : t("entry.code_go")}
    </button>
  </form>`;
}

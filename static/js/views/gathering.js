// Gathered for the opening: the countdown, how many are here, the receipt; then the order is drawn.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { counted, moment, t } from "../i18n.js";
import { secondsLeft } from "../state.js";
import { ownCode } from "./access_code.js";
import { checkLink } from "./parts.js";
import { clockFace, nextSteps, notify } from "./waiting.js";

/** @param {Sale.WithEvent<Sale.Model>} model */
export function gathering({ state, act }) {
  const { event, entry, gathered } = state;
  if (!entry) return nothing;
  const left = secondsLeft(state, entry.drawAt);
  const opens = new Date(entry.drawAt).toISOString();
  return html`<section class="waiting" data-testid="gathering">
    <p class="eyebrow">${event.name}</p>
    <h1 tabindex="-1" data-focus>${left > 0 ? t("gather.title") : t("gather.drawing")}</h1>
    ${left > 0 ? clockFace(left) : html`<progress class="meter" aria-label=${t("gather.drawing")}></progress>`}
    <p class="lead">
      ${left > 0 ? html`<time datetime=${opens}>${moment(opens, event.time_zone)}</time>` : t("gather.drawing_text")}
    </p>
    ${gathered === null ? nothing : html`<p class="callout" data-testid="gathered">${counted("gather.count", gathered)}</p>`}
    ${nextSteps([t("gather.next.1"), t("gather.next.2"), t("gather.next.3")])} ${notify(state.ui, act)}
    ${ownCode({ state, act })}
    <details class="own-receipt">
      <summary>${t("gather.receipt")}</summary>
      <p><code data-testid="receipt">${entry.receipt}</code></p>
      <p class="quiet">${t("gather.receipt_text")} ${checkLink(state)}</p>
    </details>
    <p class="quiet"><button type="button" class="link" @click=${act.leave}>${t("gather.leave")}</button></p>
  </section>`;
}

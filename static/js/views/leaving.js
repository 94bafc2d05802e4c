// "Leave?", with what is lost; then ten seconds in which it can be taken back.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { clock, counted, number, t } from "../i18n.js";
import { UNDO_MS } from "../leaving.js";
import { waitWords } from "./waiting.js";

/** @param {Sale.WithEvent<Sale.Model>} model */
export function leaving({ state, act }) {
  const { event, ui } = state;
  const step = ui.leaving?.step;
  const asked = step === "asked";
  const left = ui.leaving?.until ? Math.min(UNDO_MS, Math.max(0, ui.leaving.until - state.local)) / 1000 : 0;
  return html`<section class="notice" data-kind=${asked ? "warn" : "plain"} data-testid="leaving">
    <p class="eyebrow">${event.name}</p>
    <h1 tabindex="-1" data-focus>${asked ? t("leaving.title") : t("leaving.going")}</h1>
    <p class="lead">${asked ? atStake(state) : t("leaving.going_text")}</p>
    ${step !== "going" ? nothing : html`<p class="pay-clock" role="timer"><strong>${clock(left)}</strong></p>`}
    <div class="actions">
      ${
        step === "gone"
          ? nothing
          : html`<button type="button" class="button primary" data-testid="stay" @click=${act.stay}>
              ${asked ? t("leaving.stay") : t("leaving.undo")}
            </button>`
      }
      ${
        asked
          ? html`<button type="button" class="button secondary" data-testid="go" @click=${act.go}>
              ${t("leaving.go")}
            </button>`
          : nothing
      }
    </div>
  </section>`;
}

/**
 * What leaving costs, in a sentence or two.
 * @param {Sale.State} state
 */
function atStake({ presence, queue, basket }) {
  if (presence === "entered") return t("leaving.entered");
  if (presence === "waiting" && queue)
    return t("leaving.waiting", { place: number(queue.ahead + 1), wait: waitWords(queue.wait) });
  return basket.seats.length ? counted("leaving.seats", basket.seats.length) : t("leaving.turn");
}

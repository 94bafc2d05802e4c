// Where nothing can be picked: every seat sold, or in somebody's basket. What is true, what may still come, what to do.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { clock, counted, t } from "../i18n.js";
import { whatIsLeft } from "../sold_out.js";

/**
 * Beside the map, for who is in and has nothing to pick.
 * @param {Sale.WithPlan} model
 */
export function nothingLeft({ state, board, own }) {
  const { kind, held } = whatIsLeft(board, own.size);
  if (own.size || (kind !== "held" && kind !== "gone")) return nothing;
  const { event } = state;
  return html`<section class="nothing-left" data-testid=${kind === "gone" ? "sold-out" : "all-held"}>
    <h2 role="status">${kind === "gone" ? t("sold_out.title") : t("all_held.title")}</h2>
    <p>${kind === "gone" ? t("sold_out.text") : counted("all_held.text", held, { time: clock(event.hold_seconds) })}</p>
    <div class="actions">
      <a class="button secondary small" href="/">${t("closed.others")}</a>
    </div>
  </section>`;
}

/**
 * In the queue: whether it is worth waiting.
 * @param {Sale.WithEvent<Sale.Model>} model
 */
export function nothingLeftAhead({ state, board }) {
  const { kind, held } = whatIsLeft(board, 0);
  if (kind === "gone")
    return html`<p class="callout" data-kind="warn" data-testid="sold-out">${t("queue.sold_out")}</p>`;
  if (kind === "held")
    return html`<p class="callout" data-testid="all-held">
      ${counted("queue.all_held", held, { time: clock(state.event.hold_seconds) })}
    </p>`;
  return nothing;
}

// Where nothing can be picked: every seat sold, or in somebody's basket. What is true, what may still come, what to do.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { clock, counted, t } from "../i18n.js";
import { whatIsLeft } from "../sold_out.js";
import { isUsedUp } from "../wish.js";

/**
 * In the place of the wish, for who is in and has nothing to pick: the map stays where it is. Who has bought a whole share
 * is told that there, and it stays true whatever comes back.
 * @param {Sale.WithPlan} model
 */
export function nothingLeft({ state, board, own, wishHeight }) {
  const { kind, held } = whatIsLeft(board, own.size);
  if (own.size || isUsedUp(state) || (kind !== "held" && kind !== "gone")) return nothing;
  const { event } = state;
  return html`<section
    class="wish nothing-left"
    data-testid=${kind === "gone" ? "sold-out" : "all-held"}
    .style=${wishHeight && kind === "held" ? `min-height: ${wishHeight}px` : ""}
  >
    <div role="status"><h2>${kind === "gone" ? t("sold_out.title") : t("all_held.title")}</h2></div>
    <p>${kind === "gone" ? t("sold_out.text") : counted("all_held.text", held, { time: clock(event.hold_seconds) })}</p>
    <div class="actions">
      <a class="button secondary small" href="/">${t("closed.others")}</a>
    </div>
  </section>`;
}

/**
 * In the queue, while all seats are in baskets: what may still come, and that the place is kept.
 * @param {Sale.WithEvent<Sale.Model>} model
 */
export function heldAhead({ state, board }) {
  const { kind, held } = whatIsLeft(board, 0);
  if (kind !== "held") return [];
  return [
    html`<p class="callout" data-testid="all-held">
      ${counted("queue.all_held", held, { time: clock(state.event.hold_seconds) })}
    </p>`,
  ];
}

/**
 * In the queue of a sale that has nothing left: what came of it, and the waiting list in the place of the place.
 * @param {Sale.WithEvent<Sale.Model>} model
 */
export function soldOutAhead({ state, act, returns }) {
  return html`<section class="waiting" data-testid="sold-out">
    <p class="eyebrow">${state.event.name}</p>
    <h1 tabindex="-1" data-focus>${t("sold_out.title")}</h1>
    <p class="lead">${t("queue.sold_out")}</p>
    ${returns}
    <div class="actions">
      <a class="button secondary" href="/">${t("closed.others")}</a>
    </div>
    <p class="quiet"><button type="button" class="link" @click=${act.leave}>${t("queue.leave")}</button></p>
  </section>`;
}

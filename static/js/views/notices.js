// Pages of one message: out, closed, not allowed, loading.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { reason, t } from "../i18n.js";
import { isKeptOut, saleState } from "../state.js";
import { notice } from "./parts.js";

export function loading() {
  return html`<section class="notice">
    <h1 tabindex="-1" data-focus>${t("loading.title")}</h1>
    <progress class="meter" aria-label=${t("loading.title")}></progress>
  </section>`;
}

/**
 * Why the visitor is no longer in.
 * @param {Sale.WithEvent<Sale.Model>} model
 */
export function out({ state, act }) {
  if (isKeptOut(state))
    return notice({
      kind: "warn",
      eyebrow: state.event.name,
      title: t("out.kept.title"),
      text: t("out.kept.text"),
      actions: html`<a class="button secondary" href="/">${t("closed.others")}</a>`,
    });
  const told = state.outReason && state.outReason !== "closed" ? state.outReason : "heartbeat";
  const known = told === "session" && state.bought ? "bought" : told;
  // Who comes back before the opening stands behind nobody: the order is not drawn yet.
  const undrawn = known === "left" && saleState(state) === "before";
  const tickets = state.bought && known !== "left";
  return notice({
    kind: known === "left" || known === "bought" ? "plain" : "warn",
    eyebrow: state.event.name,
    title: t(`out.${known}.title`),
    text: undrawn ? t("out.undrawn.text") : t(`out.${known}.text`),
    actions: html`${tickets ? html`<a class="button primary" href="/tickets">${t("bar.tickets")}</a>` : nothing}
      <button type="button" class=${tickets ? "button secondary" : "button primary"} @click=${act.rejoin}>
        ${undrawn ? t("out.undrawn.again") : t("out.again")}
      </button>`,
  });
}

/** @param {Sale.WithEvent<Sale.Model>} model */
export function closed({ state }) {
  const { name, cancelled } = state.event;
  return notice({
    kind: cancelled ? "warn" : "plain",
    eyebrow: name,
    title: cancelled ? t("off.title") : t("closed.title"),
    text: cancelled ? `${t("off.sale")} ${t("off.money")}` : t("closed.text"),
    actions: html`<a class="button secondary" href="/">${t("closed.others")}</a>`,
  });
}

/**
 * realtime/wire.py, CloseCode
 * @type {Record<number, string>}
 */
const STOPPED = {
  4100: "stopped.channels",
  4102: "code.event_not_found",
  4103: "stopped.messages",
};

/**
 * The channel was closed with a code that says: do not come back by yourself.
 * @param {Sale.Model} model
 */
export function stopped({ state }) {
  return notice({
    kind: "warn",
    eyebrow: state.event?.name ?? "",
    title: t("stopped.title"),
    text: t(STOPPED[state.closeCode ?? 0] ?? "stopped.text"),
    actions: html`<button type="button" class="button primary" @click=${() => location.reload()}>
      ${t("stopped.reload")}
    </button>`,
  });
}

/** @param {Sale.Model} model */
export function broken({ state }) {
  return notice({
    kind: "warn",
    title: t("broken.title"),
    text: reason(state.broken),
    actions: html`<button type="button" class="button primary" @click=${() => location.reload()}>
      ${t("stopped.reload")}
    </button>`,
  });
}

// Pages of one message: out, closed, not allowed, loading.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { reason, t } from "../i18n.js";
import { isKeptOut } from "../state.js";
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
  return notice({
    kind: known === "left" || known === "bought" ? "plain" : "warn",
    eyebrow: state.event.name,
    title: t(`out.${known}.title`),
    text: t(`out.${known}.text`),
    actions: html`${known === "bought" ? html`<a class="button primary" href="/tickets">${t("bar.tickets")}</a>` : nothing}
      <button type="button" class=${known === "bought" ? "button secondary" : "button primary"} @click=${act.rejoin}>
        ${t("out.again")}
      </button>`,
  });
}

/** @param {Sale.WithEvent<Sale.Model>} model */
export function closed({ state }) {
  return notice({
    eyebrow: state.event.name,
    title: t("closed.title"),
    text: t("closed.text"),
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

// What a provider's own list of charges says and our books do not: one press each, and how far each list was compared.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { money, t } from "../i18n.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { at, figure } from "./format.js";
import { attempt, confirm, sorry, tell } from "./notice.js";
import { either } from "./parts.js";
import { Poll } from "./poll.js";

const EVERY = 15000; // milliseconds: the lists are compared once an hour

/** @param {HTMLElement} root */
export function findings(root) {
  /** @type {Api.PaymentFindings | null} */
  let found = null;
  const draw = () => render(page(found, rows, { comparing: comparing.on, compare, mend, close }), root);
  /** @type {Arrivals<Api.PaymentFinding>} */
  const rows = new Arrivals({ id: ({ id }) => id, draw });
  const comparing = new Busy(draw, api.LONG);
  const poll = new Poll({
    ask: api.findings,
    every: EVERY,
    got: (news) => {
      found = news;
      rows.learn(news.findings, { whole: false });
      draw();
    },
  });
  const compare = async () => {
    await comparing.run(async () => {
      const { comparisons } = await api.compare();
      tell(t("ops.findings.compared", { number: figure(comparisons.reduce((sum, one) => sum + one.new, 0)) }));
    }, sorry);
    await poll.now();
  };
  /**
   * @param {Api.PaymentFinding} one
   * @param {boolean} by_hand
   */
  const end = async (one, by_hand) => {
    const act = by_hand ? "by_hand" : one.kind;
    const about = { amount: money(one.left_there, one.currency), order: one.order };
    const sure = await confirm({
      title: t(`ops.findings.act.${act}`),
      text: by_hand ? t("ops.findings.by_hand_text", about) : t("ops.findings.act_text", about),
      go: t(`ops.findings.act.${act}`),
    });
    if (!sure) return;
    await attempt(
      () => api.mendFinding(one.id, by_hand),
      () => t("ops.findings.done"),
    );
    await poll.now();
  };
  /** @param {Api.PaymentFinding} one */
  const mend = (one) => end(one, false);
  /** @param {Api.PaymentFinding} one */
  const close = (one) => end(one, true);
  poll.now();
}

/**
 * @typedef {{comparing: boolean, compare: () => void, mend: (one: Api.PaymentFinding) => void, close: (one: Api.PaymentFinding) => void}} Acts
 * @param {Api.PaymentFindings | null} found
 * @param {Arrivals<Api.PaymentFinding>} shown
 * @param {Acts} acts
 */
const page = (found, shown, acts) => html`
  <div class="head">
    <h1>${t("ops.findings.title")}</h1>
    <button
      type="button"
      class="button small secondary waits"
      aria-disabled=${acts.comparing}
      aria-busy=${acts.comparing}
      @click=${acts.compare}
    >
      <span>${t("ops.findings.compare")}</span>
      ${acts.comparing ? html`<i class="spinner" aria-hidden="true"></i>` : nothing}
    </button>
  </div>
  ${shown.line(found ? howMany(found) : nothing)} ${found ? lists(found.lists) : nothing}
  <ul class="letters">
    ${shown.rows.map((one) => card(one, acts))}
  </ul>
`;

/** @param {Api.PaymentFindings} found */
function howMany({ lists: read, findings: all }) {
  const open = all.filter((one) => one.state === "OPEN").length;
  if (open) return t("ops.findings.open", { number: figure(open) });
  return read.some((one) => one.compared_until) ? t("ops.findings.none") : t("ops.findings.never");
}

/** @param {Api.ProviderList[]} all */
const lists = (all) =>
  html`<ul class="quiet lists" data-testid="lists">
    ${all.map(
      (one) =>
        html`<li>
          ${one.provider} (${one.environment}):
          ${one.compared_until ? t("ops.findings.until", { time: at(one.compared_until), number: figure(one.charges) }) : t("ops.findings.never")}
          ${one.code ? html`<strong>${t("ops.findings.failed", { code: one.code })}</strong>` : nothing}
        </li>`,
    )}
  </ul>`;

/**
 * @param {Api.PaymentFinding} one
 * @param {Acts} acts
 */
const card = (one, { mend, close }) => html`
  <li class="card" data-testid="finding">
    <h2>${t(`ops.findings.kind.${one.kind}`)}</h2>
    <p>
      ${t("ops.findings.sums", {
        there: money(one.left_there, one.currency),
        here: money(one.left_here, one.currency),
        provider: one.provider,
      })}
    </p>
    <p class="quiet">
      ${at(one.charged_at)} · <code>${one.order}</code> · <code>${one.provider_key}</code>
      ${one.reservation ? html`· <a href=${`/ops/refunds#find=${one.reservation}`}>${one.reservation}</a>` : nothing}
    </p>
    ${either(
      one.state === "OPEN",
      html`<button type="button" class="button small secondary" @click=${() => mend(one)}>
          ${t(`ops.findings.act.${one.kind}`)}
        </button>
        <button type="button" class="button small secondary" @click=${() => close(one)}>
          ${t("ops.findings.act.by_hand")}
        </button>`,
      one.state === "OPEN"
        ? nothing
        : t(`ops.findings.state.${one.state}`, { who: one.ended_by ?? "", time: one.ended_at ? at(one.ended_at) : "" }),
    )}
  </li>
`;

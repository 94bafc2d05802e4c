// Messages that a consumer gave up: read the error, mend the cause, send them again; or let go of what never can be sent.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { at, figure } from "./format.js";
import { attempt, confirm } from "./notice.js";
import { either } from "./parts.js";
import { Poll } from "./poll.js";

const EVERY = 5000; // milliseconds

/** @param {HTMLElement} root */
export function deadLetters(root) {
  /** @type {Api.DeadLetterList | null} */
  let list = null;
  const draw = () => render(page(list, shown, { retry, discard }), root);
  /** @type {Arrivals<Api.DeadLetterAnswer>} */
  const shown = new Arrivals({ id: ({ id }) => id, draw });
  const poll = new Poll({
    ask: api.deadLetters,
    every: EVERY,
    got: (news) => {
      list = news;
      shown.learn(news.letters, { whole: news.waiting <= news.letters.length });
      draw();
    },
    lost: draw,
  });
  /** @param {number[] | null} ids null: all of them */
  const retry = async (ids) => {
    const sure =
      ids || (await confirm({ title: t("ops.dead.all_title"), text: t("ops.dead.all_text"), go: t("ops.dead.all") }));
    if (!sure) return;
    await attempt(
      () => api.retryDeadLetters(ids),
      (done) => t("ops.dead.done", { number: figure(done.retried) }),
    );
    await poll.now();
  };
  /** @param {number} id */
  const discard = async (id) => {
    const sure = await confirm({
      title: t("ops.dead.discard_title"),
      text: t("ops.dead.discard_text"),
      go: t("ops.dead.discard"),
    });
    if (!sure) return;
    await attempt(
      () => api.discardDeadLetters([id]),
      (done) => t("ops.dead.discarded", { number: figure(done.discarded) }),
    );
    await poll.now();
  };
  poll.now();
}

/**
 * @param {Api.DeadLetterList | null} list
 * @param {Arrivals<Api.DeadLetterAnswer>} shown
 * @param {{retry: (ids: number[] | null) => void, discard: (id: number) => void}} actions
 */
const page = (list, shown, { retry, discard }) => html`
  <div class="head">
    <h1>${t("ops.dead.title")}</h1>
    <button type="button" class="button small secondary" ?data-off=${!list?.waiting} @click=${() => retry(null)}>
      ${t("ops.dead.all")}
    </button>
  </div>
  ${shown.line(list ? (list.waiting ? t("ops.dead.waiting", { number: figure(list.waiting) }) : t("ops.dead.none")) : nothing)}
  <ul class="letters">
    ${shown.rows.map(
      (letter) =>
        html`<li class="card" data-testid="letter" ?data-gone=${shown.gone.has(letter.id)}>
          <h2>${letter.consumer}: ${letter.type ?? t("ops.dead.unreadable")}</h2>
          <p class="error">${letter.error}</p>
          <p class="quiet">
            ${at(letter.failed_at)} · ${t("ops.dead.tries", { number: figure(letter.attempts) })} ·
            <code>${letter.source}</code>
            ${letter.event ? html`· <a href=${`/ops/events/${letter.event}#find=${letter.reservation}`}>${letter.reservation}</a>` : nothing}
          </p>
          ${either(
            !shown.gone.has(letter.id),
            html`<button type="button" class="button small secondary" @click=${() => retry([letter.id])}>
                ${t("ops.dead.retry")}
              </button>
              <button type="button" class="button small secondary" @click=${() => discard(letter.id)}>
                ${t("ops.dead.discard")}
              </button>`,
            t("ops.dead.gone"),
          )}
        </li>`,
    )}
  </ul>
`;

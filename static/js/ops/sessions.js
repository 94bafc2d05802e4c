// Who is signed in to the console, and ending that.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { at, figure } from "./format.js";
import { attempt, confirm } from "./notice.js";
import { either } from "./parts.js";
import { Poll } from "./poll.js";

const EVERY = 15000; // milliseconds

/** @param {HTMLElement} root */
export function sessions(root) {
  const draw = () => render(page(shown, end), root);
  /** @type {Arrivals<Api.OpenSession>} */
  const shown = new Arrivals({ id: ({ id }) => id, draw });
  const poll = new Poll({
    ask: api.sessions,
    every: EVERY,
    got: (news) => {
      shown.learn(news.sessions);
      draw();
    },
    lost: draw,
  });
  /** @param {Api.OpenSession} one */
  const end = async (one) => {
    const sure = await confirm({
      title: t("ops.sessions.end_title", { name: one.name }),
      text: one.current ? t("ops.sessions.end_own") : t("ops.sessions.end_text"),
      go: t("ops.sessions.end"),
    });
    if (!sure) return;
    await attempt(
      () => api.endSession(one.id),
      () => t("ops.sessions.ended"),
    );
    await poll.now();
  };
  poll.now();
}

/**
 * @param {Arrivals<Api.OpenSession>} shown
 * @param {(one: Api.OpenSession) => void} end
 */
const page = (shown, end) => html`
  <div class="head"><h1>${t("ops.sessions.title")}</h1></div>
  <p class="quiet">${t("ops.sessions.lead")}</p>
  ${shown.line(shown.latest.length ? t("ops.sessions.open", { number: figure(shown.latest.length) }) : nothing)}
  <ul class="letters">
    ${shown.rows.map(
      (one) =>
        html`<li class="card" data-testid="session" ?data-gone=${shown.gone.has(one.id)}>
          <div class="head">
            <h2>${one.name}${one.current ? html` <small>${t("ops.sessions.current")}</small>` : nothing}</h2>
            ${either(
              !shown.gone.has(one.id),
              html`<button type="button" class="button small secondary" @click=${() => end(one)}>
                ${t("ops.sessions.end")}
              </button>`,
              t("ops.sessions.ended"),
            )}
          </div>
          <p class="quiet">
            ${one.address} · ${t("ops.sessions.opened", { time: at(one.opened_at) })} ·
            ${t("ops.sessions.ends", { time: at(one.ends_at) })}
          </p>
        </li>`,
    )}
  </ul>
`;

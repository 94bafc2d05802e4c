// Who is signed in to the console, and ending that.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { at } from "./format.js";
import { attempt, confirm } from "./notice.js";
import { Poll } from "./poll.js";

const EVERY = 15000; // milliseconds

/** @param {HTMLElement} root */
export function sessions(root) {
  /** @type {Api.OpenSessions | null} */
  let list = null;
  const draw = () => render(page(list, end), root);
  const poll = new Poll({
    ask: api.sessions,
    every: EVERY,
    got: (news) => {
      list = news;
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
 * @param {Api.OpenSessions | null} list
 * @param {(one: Api.OpenSession) => void} end
 */
const page = (list, end) => html`
  <h1>${t("ops.sessions.title")}</h1>
  <p class="quiet">${t("ops.sessions.lead")}</p>
  <ul class="letters">
    ${(list?.sessions ?? []).map(
      (one) =>
        html`<li class="card" data-testid="session">
          <div class="head">
            <h2>${one.name}${one.current ? html` <small>${t("ops.sessions.current")}</small>` : nothing}</h2>
            <button type="button" class="button small secondary" @click=${() => end(one)}>
              ${t("ops.sessions.end")}
            </button>
          </div>
          <p class="quiet">
            ${one.address} · ${t("ops.sessions.opened", { time: at(one.opened_at) })} ·
            ${t("ops.sessions.ends", { time: at(one.ends_at) })}
          </p>
        </li>`,
    )}
  </ul>
`;

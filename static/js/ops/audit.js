// Who did what, the newest first: what is new is said and comes by a press, what is older page by page.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { attempt } from "./notice.js";
import { auditTable } from "./parts.js";
import { Poll } from "./poll.js";

const EVERY = 5000; // milliseconds

/** @param {HTMLElement} root */
export function audit(root) {
  let first = -1; // the oldest entry that there is, once it is known
  const draw = () =>
    render(
      html`<div class="head"><h1>${t("ops.audit.title")}</h1></div>
        ${shown.line(poll.known ? (shown.rows.length ? t("ops.audit.current") : t("ops.audit.none")) : nothing)}
        ${shown.rows.length ? auditTable(shown.rows) : nothing}
        ${(shown.rows.at(-1)?.id ?? first) === first ? nothing : html`<button type="button" class="button secondary" @click=${older}>${t("ops.more")}</button>`}`,
      root,
    );
  /** @type {Arrivals<Api.AuditEntry>} */
  const shown = new Arrivals({ id: ({ id }) => id, draw });
  /** @param {Api.AuditPage} page */
  const learn = ({ entries, next }) => {
    if (next === null) first = entries.at(-1)?.id ?? first;
  };
  const older = async () => {
    const last = shown.rows.at(-1)?.id ?? null;
    const page = await attempt(() => api.audit({ before: last }));
    if (!page || last !== shown.rows.at(-1)?.id) return;
    learn(page);
    if (shown.latest.at(-1)?.id === last) shown.latest = [...shown.latest, ...page.entries];
    shown.rows = [...shown.rows, ...page.entries];
    draw();
  };
  const poll = new Poll({
    ask: () => api.audit({}),
    every: EVERY,
    got: (page) => {
      learn(page);
      const oldest = page.entries.at(-1)?.id ?? Infinity;
      // Older pages that are open stay, unless so much happened meanwhile that there would be a gap.
      const known = shown.latest.length && shown.latest[0].id >= oldest ? shown.latest : [];
      shown.learn([...page.entries, ...known.filter((entry) => entry.id < oldest)], { whole: false });
      draw();
    },
  });
  poll.now();
}

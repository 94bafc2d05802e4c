// Who did what, the newest first: what is new comes by itself, what is older page by page.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { attempt } from "./notice.js";
import { auditTable } from "./parts.js";
import { Poll } from "./poll.js";

const EVERY = 5000; // milliseconds

/** @param {HTMLElement} root */
export function audit(root) {
  /** @type {Api.AuditEntry[] | null} */
  let entries = null;
  /** @type {number | null} */
  let next = null;
  const draw = () =>
    render(
      html`<div class="head"><h1>${t("ops.audit.title")}</h1></div>
        ${entries?.length ? auditTable(entries) : entries ? html`<p class="quiet">${t("ops.audit.none")}</p>` : nothing}
        ${next ? html`<button type="button" class="button secondary" @click=${more}>${t("ops.more")}</button>` : nothing}`,
      root,
    );
  const more = async () => {
    const page = await attempt(() => api.audit({ before: next }));
    if (!page) return;
    entries = [...(entries ?? []), ...page.entries];
    next = page.next;
    draw();
  };
  const poll = new Poll({
    ask: () => api.audit({}),
    every: EVERY,
    got: (page) => {
      const oldest = page.entries.at(-1)?.id ?? Infinity;
      // Older pages that are open stay, unless so much happened meanwhile that there would be a gap.
      const known = entries?.length && entries[0].id >= oldest ? entries : null;
      if (!known) next = page.next;
      entries = known ? [...page.entries, ...known.filter((entry) => entry.id < oldest)] : page.entries;
      draw();
    },
  });
  poll.now();
}

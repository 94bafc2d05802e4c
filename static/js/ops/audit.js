// Who did what, the newest first, page by page.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import * as api from "./api.js";
import { attempt } from "./notice.js";
import { auditTable } from "./parts.js";

export function audit(root) {
  let entries = [];
  let next = null;
  const more = async () => {
    const page = await attempt(() => api.audit({ before: next }));
    if (!page) return;
    entries = [...entries, ...page.entries];
    next = page.next;
    render(
      html`<div class="head"><h1>${t("ops.audit.title")}</h1></div>
        ${entries.length ? auditTable(entries) : html`<p class="quiet">${t("ops.audit.none")}</p>`}
        ${next ? html`<button type="button" class="button secondary" @click=${more}>${t("ops.more")}</button>` : nothing}`,
      root,
    );
  };
  more();
}

// "Check the draw": recomputes the published draw in this browser, and finds the visitor's own line.
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { call, Refusal } from "../api.js";
import { byId } from "../dom.js";
import { counted, load, moment, number, reason, t } from "../i18n.js";
import { lasting } from "../storage.js";
import { Entry } from "../entry.js";
import { ALGORITHM, canVerify, differences, receiptOf } from "./verify.js";

const root = byId("draw");
const { slug = "", language = "en", assets = "", zone = "UTC" } = root.dataset;
const base = `/api/events/${encodeURIComponent(slug)}/draw`;
const phase = new URLSearchParams(location.search).get("phase");
const query = phase ? `?phase=${encodeURIComponent(phase)}` : "";
const own = new Entry(slug, lasting).kept;
const AGAIN = 5000; // milliseconds until a draw that has not happened is looked at again

await load(language, assets);

/** @type {Api.DrawShown | null} */
let draw = null;
/** @type {string[] | null} */
let entries = null;
/** @type {string[] | null} */
let wrong = null;
/** @type {boolean | null} */
let ownHolds = null;
let done = 0;
let failure = "";

async function learn() {
  try {
    draw = (await call("GET", base + query)).body;
    if (draw?.state === "drawn") await check(draw);
    else setTimeout(learn, AGAIN);
    failure = "";
  } catch (error) {
    failure = reason(error instanceof Refusal ? error.code : "store_unavailable");
    setTimeout(learn, AGAIN);
  }
  show();
}

/** @param {Api.DrawShown} drawn */
async function check(drawn) {
  // As long as a plan: 200,000 lines.
  const response = await fetch(`${base}/entries${query}`, { signal: AbortSignal.timeout(60000) });
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})), null);
  entries = (await response.text()).split("\n").filter(Boolean);
  show();
  if (!canVerify()) return;
  if (own) ownHolds = (await receiptOf(own.nonce, own.salt)) === own.receipt;
  wrong = await differences(drawn, entries, (count) => {
    done = count;
    show();
  });
}

function verdict() {
  if (!canVerify()) return html`<p class="callout" data-kind="warn" data-testid="verdict">${t("draw.no_crypto")}</p>`;
  if (!wrong || !entries)
    return html`<p data-testid="verdict">${t("draw.checking")}</p>
      <progress class="meter" max=${entries?.length || 1} .value=${done} aria-label=${t("draw.checking")}></progress>`;
  if (!wrong.length)
    return html`<p class="callout" data-kind="good" role="status" data-testid="verdict">
      ${counted("draw.holds", entries.length)}
    </p>`;
  return html`<div class="callout" data-kind="bad" role="alert" data-testid="verdict">
    <p>${t("draw.does_not_hold")}</p>
    <ul>
      ${wrong.map((key) => html`<li>${t(`draw.wrong.${key}`)}</li>`)}
    </ul>
  </div>`;
}

function ownLine() {
  if (!own) return html`<p class="quiet" data-testid="own">${t("draw.own_none")}</p>`;
  const place = entries ? entries.indexOf(own.receipt) + 1 : 0;
  return html`<dl class="facts small" data-testid="own">
    <div>
      <dt>${t("gather.receipt")}</dt>
      <dd><code>${own.receipt}</code></dd>
    </div>
    ${
      entries
        ? html`<div>
            <dt>${t("draw.own_line")}</dt>
            <dd data-testid="own-place">${place ? number(place) : t("draw.own_missing")}</dd>
          </div>`
        : nothing
    }
    ${
      ownHolds === null
        ? nothing
        : html`<div>
            <dt>${t("draw.own_made")}</dt>
            <dd>${ownHolds ? t("draw.own_holds") : t("draw.own_wrong")}</dd>
          </div>`
    }
  </dl>`;
}

/** @param {string} label @param {string | number | null | undefined} value */
const fact = (label, value) =>
  value === null || value === undefined || value === ""
    ? nothing
    : html`<div>
        <dt>${label}</dt>
        <dd><code>${value}</code></dd>
      </div>`;

function show() {
  if (failure && !draw) render(html`<p class="callout" data-kind="warn">${failure}</p>`, root);
  if (!draw) return;
  const { state, commitment, beacon, draw_at: at, count, root: of, seed } = draw;
  render(
    html`${
        state === "none"
          ? html`<p class="callout">${t("draw.none")}</p>`
          : state === "announced"
            ? html`<p class="callout" data-testid="verdict">
                ${t("draw.announced", { time: at ? moment(at, zone) : "" })}
              </p>`
            : verdict()
      }
      ${
        state === "none"
          ? nothing
          : html`<h2>${t("draw.own")}</h2>
              ${ownLine()}`
      }
      ${
        state === "none"
          ? nothing
          : html`<h2>${t("draw.published")}</h2>
              <dl class="facts small draw-facts">
                ${fact(t("draw.algorithm"), ALGORITHM)} ${fact(t("draw.commitment"), commitment)}
                ${fact(t("draw.count"), count)} ${fact(t("draw.root"), of)} ${fact(t("draw.seed"), seed)}
                ${beacon ? fact(t("draw.beacon"), `${beacon.source} ${beacon.round} ${beacon.value ?? ""}`) : nothing}
              </dl>
              ${entries ? html`<p><a href="${base}/entries${query}">${counted("draw.entries", entries.length)}</a></p>` : nothing}`
      }
      <p class="quiet">${t("draw.by_command")} <code>onsale draw verify ${location.origin}/events/${slug}</code></p>`,
    root,
  );
}

root.replaceChildren(); // "one moment"
await learn();

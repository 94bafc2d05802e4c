// Promised and actual waits of a sale, as anybody may see them (F9): a band of what was promised, a dot for what it was.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { html, nothing, render } from "../../vendor/lit-html/lit-html.js";
import { call, Refusal } from "../api.js";
import { byId } from "../dom.js";
import { clock, counted, load, number, reason, t } from "../i18n.js";
import { columnsOf, timeOf } from "./columns.js";

const HEIGHT = 240;
const AGAIN = 30_000; // milliseconds until the next look
const NARROWEST = 600; // seconds that the chart shows at least: of one moment uPlot would show two days
const LISTED = 50; // of the last ones, for who reads rather than looks

const root = byId("waits");
const { slug = "", language = "en", assets = "", zone = "UTC" } = root.dataset;

await load(language, assets);
root.replaceChildren();

/** @type {Api.Waits | null} */
let known = null;
let failure = "";
/** @type {uPlot | null} */
let plot = null;
let width = 0;
const host = document.createElement("div");
host.setAttribute("role", "img");

async function learn() {
  try {
    known = (await call("GET", `/api/events/${encodeURIComponent(slug)}/waits`)).body;
    failure = "";
  } catch (error) {
    failure = reason(error instanceof Refusal ? error.code : "store_unavailable");
  }
  draw();
  setTimeout(learn, AGAIN);
}

function draw() {
  const waits = known?.waits ?? [];
  const verdict = known && waits.length ? counted("waits.kept", waits.length, { kept: number(known.kept) }) : "";
  host.setAttribute("aria-label", verdict);
  render(
    html`${failure ? html`<p class="callout" data-kind="warn">${failure}</p>` : nothing}
    ${known && !waits.length ? html`<p class="lead" data-testid="no-waits">${t("waits.none")}</p>` : nothing}
    ${
      waits.length
        ? html`<p class="lead" data-testid="kept">${verdict}</p>
            <figure class="chart">
              ${host}
              <figcaption>${t("waits.chart")}</figcaption>
            </figure>
            ${table(waits.slice(0, LISTED))}`
        : nothing
    }`,
    root,
  );
  if (waits.length) show();
}

/** @param {Api.WaitOfOne[]} waits */
function table(waits) {
  return html`<details>
    <summary>${counted("waits.list", waits.length)}</summary>
    <table>
      <thead>
        <tr>
          <th scope="col">${t("waits.joined")}</th>
          <th scope="col">${t("waits.promised")}</th>
          <th scope="col">${t("waits.actual")}</th>
        </tr>
      </thead>
      <tbody>
        ${waits.map(
          ({ joined_at, promised, actual, kept }) =>
            html`<tr>
              <td>${timeOf(Date.parse(joined_at), zone)}</td>
              <td>${clock(promised.low)} – ${clock(promised.high)}</td>
              <td>${clock(actual)} ${kept ? nothing : html`<span class="missed">${t("waits.missed")}</span>`}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}

/** @param {string} name */
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {uPlot} plot
 * @returns {[number, number]}
 */
function span({ data: [joined] }) {
  const low = joined[0] ?? 0;
  const high = joined[joined.length - 1] ?? low;
  const more = Math.max(0, NARROWEST - (high - low)) / 2;
  return [low - more, high + more];
}

function show() {
  const wide = Math.floor(host.clientWidth);
  const data = columnsOf(known?.waits ?? []);
  if (plot && wide === width) {
    plot.setData(data);
    return;
  }
  if (!wide) return;
  width = wide;
  plot?.destroy();
  const font = "12px 'Pretendard Variable', system-ui, sans-serif";
  const axis = { stroke: token("--ink-3"), font, grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
  const line = { points: { show: false }, stroke: token("--accent"), width: 1 };
  plot = new uPlot(
    {
      width,
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: true, range: span },
        y: { range: (_plot, _low, high) => [0, Math.max(high ?? 0, 60) * 1.08] },
      },
      axes: [
        { ...axis, size: 26, space: 80, values: (_, ticks) => ticks.map((tick) => timeOf(tick * 1000, zone)) },
        { ...axis, size: 56, space: 36, values: (_, ticks) => ticks.map((tick) => clock(tick)) },
      ],
      series: [
        {},
        { ...line, label: "high" },
        { ...line, label: "low" },
        {
          label: "actual",
          stroke: token("--ink"),
          paths: () => null,
          points: { show: true, size: 6, fill: token("--ink") },
        },
      ],
      bands: [{ series: [1, 2], fill: token("--accent-soft") }],
    },
    data,
    host,
  );
}

new ResizeObserver(() => {
  if (plot && Math.floor(host.clientWidth) !== width) show();
}).observe(root);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  width = 0;
  if (plot) show();
});

await learn();

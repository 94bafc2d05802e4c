// What works behind the sale: processes, periodic jobs, seat locks. Folded until somebody wants it.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { t } from "../i18n.js";
import { figure, percent, span } from "./format.js";
import { fold } from "./parts.js";

// Each process tells of its jobs every 5 seconds.
/** @type {Record<string, number>} */
const STALE_SECONDS = { sweep: 20, load: 60, vitals: 60, history: 60, health_watch: 120, limits: 60, payments: 30 };

/** @param {Api.SaleFigures} news */
export function workings(news) {
  const late = (news.jobs ?? []).filter((job) => job.seconds_ago > (STALE_SECONDS[job.name] ?? Infinity));
  const lead = [
    t("ops.processes", { number: figure(news.processes?.length) }),
    ...(late.length ? [t("ops.jobs.late", { names: late.map((job) => job.name).join(", ") })] : []),
  ].join(" · ");
  const content = html`<div class="scroll" tabindex="0" role="group" aria-label=${t("ops.process")}>
      <table>
        <thead>
          <tr>
            <th scope="col">${t("ops.process")}</th>
            <th scope="col">CPU</th>
            <th scope="col">${t("ops.memory")}</th>
            <th scope="col">${t("ops.pool")}</th>
            <th scope="col">${t("ops.channels_short")}</th>
            <th scope="col">${t("ops.fanout")}</th>
          </tr>
        </thead>
        <tbody>
          ${(news.processes ?? []).map(
            (one) =>
              html`<tr>
                <td>${one.host}:${one.pid}</td>
                <td>${percent(one.cpu)}</td>
                <td>${percent(one.memory)}</td>
                <td>${percent(one.pool)}</td>
                <td>${figure(one.channels)}</td>
                <td>${span(one.fanout_p95_ms === null ? null : one.fanout_p95_ms / 1000)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <h3>${t("ops.jobs.title")}</h3>
    <ul class="jobs">
      ${(news.jobs ?? []).map((job) => html`<li data-late=${late.includes(job)}><code>${job.name}</code> ${t("ops.jobs.ago", { time: span(job.seconds_ago) })}</li>`)}
    </ul>
    ${locks(news)}`;
  return fold("workings", t("ops.workings"), content, { lead, alarming: late.length > 0, open: false });
}

/**
 * S5, S6: the process whose locks are the busiest speaks for all.
 * @param {Api.SaleFigures} news
 */
function locks(news) {
  const all = (news.processes ?? []).map((one) => one.locks);
  if (!all.length) return nothing;
  const worst = all.reduce((a, b) => (b.failed_share > a.failed_share ? b : a));
  const advice = all.find((one) => one.advised_wait_seconds !== null);
  return html`<h3>${t("ops.locks.title")}</h3>
    <p>
      ${t("ops.locks.now", { guard: news.seat_guard, wait: span(worst.wait_seconds), lease: span(worst.lease_seconds), share: percent(worst.failed_share, 1) })}
    </p>
    <p class="hint">
      ${advice ? t("ops.locks.advice", { wait: span(advice.advised_wait_seconds), lease: span(advice.advised_lease_seconds), section: span(advice.critical_section_seconds) }) : t("ops.locks.none")}
    </p>`;
}

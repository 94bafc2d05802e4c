// The figures of a sale: what is good is quiet, what is not is coloured.
import { html } from "../../vendor/lit-html/lit-html.js";
import { money, t } from "../i18n.js";
import { figure, NONE, percent, span } from "./format.js";
import { tile } from "./parts.js";

const LATE_SECONDS = 60;
const SLOW_FANOUT_MS = 100; // what a browser may wait for a seat's change

/** What the charts show, in this order. */
export const FIELDS = [
  "at",
  "waiting",
  "active",
  "limit",
  "held",
  "sold",
  "confirmed",
  "failed",
  "checkout_p95_seconds",
  "fanout_p95_ms",
];

/**
 * How many may be in at this moment: what tiles and charts show alike.
 * @param {Api.SaleFigures} news
 */
const limitNow = ({ paused, active_limit, admission }) =>
  paused ? 0 : Math.min(admission?.cap ?? active_limit, active_limit);

/**
 * A point of the charts: the same figures as in the tiles.
 * In the order of FIELDS.
 * @param {Api.SaleFigures} news
 * @returns {import("./charts.js").Sample}
 */
export function sampleOf(news) {
  const { admission, board, checkouts } = news;
  return [
    Date.parse(news.now) / 1000,
    admission?.waiting ?? null,
    admission?.active ?? null,
    limitNow(news),
    board?.held ?? null,
    board?.sold ?? null,
    checkouts?.confirmed ?? null,
    checkouts?.failed ?? null,
    checkouts?.p95_seconds ?? null,
    news.fanout_p95_ms,
  ];
}

/** @param {Api.SaleFigures} news */
export function tiles(news) {
  const { admission, board, sales, checkouts, events } = news;
  const cap = admission?.cap ?? null;
  const capped = cap !== null && cap < news.active_limit;
  const ended = checkouts ? checkouts.confirmed + checkouts.failed : 0;
  const failing = checkouts !== null && ended >= 5 && checkouts.failed / ended >= 0.5;
  return html`<dl class="tiles">
    ${tile(t("ops.waiting"), figure(admission?.waiting), {
      note: [
        admission?.pace && !news.paused ? t("ops.pace", { number: figure(admission.pace) }) : "",
        admission?.came_back ? t("ops.came_back", { number: figure(admission.came_back) }) : "",
      ]
        .filter(Boolean)
        .join(" · "),
    })}
    ${tile(t("ops.active"), html`${figure(admission?.active)}<i>/ ${figure(limitNow(news))}</i>`, {
      note: news.paused ? t("ops.state.paused") : capped ? t("ops.capped", { number: figure(news.active_limit) }) : "",
      level: news.paused || capped ? "warn" : "",
    })}
    ${tile(t("ops.held"), figure(board?.held), { note: t("ops.paying_number", { number: figure(checkouts?.under_way) }) })}
    ${tile(
      t("ops.sold"),
      html`${figure(board?.sold)}<i>${board ? percent(board.sold / Math.max(1, news.seats)) : NONE}</i>`,
      {
        note:
          t("ops.free", { number: figure(board?.available) }) +
          (board?.blocked ? ` · ${t("ops.blocked", { number: figure(board.blocked) })}` : ""),
      },
    )}
    ${tile(t("ops.revenue"), sales ? money(sales.revenue, news.currency) : NONE, {
      note: t("ops.per_minute", { number: figure(sales?.last_minute) }),
    })}
    ${tile(
      t("ops.checkouts"),
      html`${figure(checkouts?.confirmed)}<i>${t("ops.failed_number", { number: figure(checkouts?.failed) })}</i>`,
      {
        note: checkouts ? reasons(checkouts) : "",
        level: failing ? "fail" : "",
      },
    )}
    ${tile(t("ops.checkout_p95"), span(checkouts?.p95_seconds), {
      note: t("ops.median", { time: span(checkouts?.median_seconds) }),
      level: (checkouts?.p95_seconds ?? 0) > 10 ? "warn" : "",
    })}
    ${tile(t("ops.fanout"), span(news.fanout_p95_ms === null ? null : news.fanout_p95_ms / 1000), {
      note: t("ops.channels", { number: figure(news.channels) }),
      level: (news.fanout_p95_ms ?? 0) > SLOW_FANOUT_MS ? "warn" : "",
    })}
    ${tile(t("ops.relay"), events ? span(events.oldest_seconds) : NONE, {
      note: t("ops.unsent", { number: figure(events?.unsent) }),
      level: (events?.oldest_seconds ?? 0) > LATE_SECONDS ? "fail" : "",
    })}
    ${tile(t("ops.nav.dead"), html`<a href="/ops/dead-letters">${figure(events?.dead_letters)}</a>`, {
      level: events?.dead_letters ? "warn" : "",
    })}
  </dl>`;
}

/** @param {Api.CheckoutFigures} checkouts */
const reasons = (checkouts) =>
  Object.entries(checkouts.reasons)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 2)
    .map(([reason, count]) => `${t(`ops.reason.${reason}`, { defaultValue: reason })} ${figure(count)}`)
    .join(", ") || t("ops.window", { time: span(checkouts.seconds) });

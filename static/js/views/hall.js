// Picking seats: map or list, legend and filter, basket.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { repeat } from "../../vendor/lit-html/directives/repeat.js";
import { clock, counted, money, t } from "../i18n.js";
import { deadline, isUrgent } from "../deadline.js";
import { kept } from "../kept.js";
import { mayPay } from "../outage.js";
import { whatIsLeft } from "../sold_out.js";
import { isShorter, timeless, turnSecondsLeft } from "../state.js";
import { isUsedUp, share } from "../wish.js";
import { ownCode } from "./access_code.js";
import { basket, inBasket } from "./basket.js";
import { hand } from "./hands.js";
import { glyph, LOOKS } from "./parts.js";
import { nothingLeft } from "./sold_out.js";
import { seatsLost, timeWarning, turnLeft } from "./time_left.js";
import { wish } from "./wish.js";

/** @type {Sale.Mode[]} */
const MODES = ["map", "list"];

/** What no second changes of it. */
const lasting = kept((/** @type {Sale.Lasting} */ model) => ({
  top: top(model),
  key: key(),
  wish: wish(model),
  content: inBasket(model),
}));

/** @param {Sale.WithPlan} model */
export function hall(model) {
  const { state, board, act, seatMap, seatList, returns, own, plan, asked, free, swatches, over, sideHeight } = model;
  const { ui } = state;
  const { seats } = state.basket;
  // Sold out: the waiting list stands where there is nothing to pick. What it offers, for a time, stands in the place of
  // the wish: on a phone whose sheet is closed as well.
  const left = whatIsLeft(board, own.size).kind;
  // What can be had instead of seats that were refused is said in the same place, and was asked for just now.
  const offered = model.offered && !(state.instead && left === "free");
  const list = seats.length || left !== "gone" ? null : returns;
  const { ready } = board;
  // Why a turn is shorter than it was is told on a phone whose sheet is closed as well.
  const turn = turnLeft(state);
  const isTold = isShorter(state);
  const parts = lasting({ state: timeless(state), act, plan, asked, free, swatches, ready, left });
  const ask = offered ? html`<div class="wish offer">${returns}</div>` : html`${parts.wish} ${nothingLeft(model)}`;
  // When the time of the seats ends, it has their place.
  const inPlace = over && !list;
  return html`<section
    class="hall"
    data-mode=${ui.mode}
    data-sheet=${ui.sheet || list ? "open" : "closed"}
    data-has-seats=${seats.length || inPlace ? "" : nothing}
    data-list=${list ? "" : nothing}
  >
    <h1 class="visually-hidden" tabindex="-1" data-focus>${t("hall.title", { event: state.event.name })}</h1>
    ${ui.mode === "map" ? html`<button type="button" class="skip" @click=${() => act.mode("list")}>${t("skip.list")}</button>` : nothing}
    ${parts.top}
    <div class="hall-notes">${seatsLost(state)}${timeWarning(state, act)}</div>
    <div class="hall-main">
      <div class="map-host" ?hidden=${ui.mode !== "map"}>${seatMap.element}${parts.key}</div>
      <div class="list-host" ?hidden=${ui.mode !== "list"}>${seatList.element}</div>
    </div>
    ${repeat(
      [list ? "list" : "basket"],
      (which) => which, // the one is another thing than the other, and does not grow out of it
      () =>
        html`<aside
          class="side"
          aria-label=${list ? t("returns.title") : t("basket.title")}
          .style=${inPlace && sideHeight ? `--kept: ${sideHeight}px` : ""}
        >
          ${list ? nothing : sheetHandle(model)} ${inPlace ? nothing : html`${ask} ${isTold ? turn : nothing}`}
          <div class="sheet-body">
            ${list ? nothing : basket(state, inPlace ? html`${ask} ${parts.content}` : parts.content)}
            ${offered ? nothing : returns} ${seats.length ? nothing : ownCode(model)}
            ${isTold && !inPlace ? nothing : turn}
            ${repeat(
              [inPlace ? "over" : "basket"],
              (which) => which, // with what stands above it on a phone
              () =>
                html`<p class="quiet">
                  <button type="button" class="link" @click=${act.leave}>${t("hall.leave")}</button>
                </p>`,
            )}
          </div>
        </aside>`,
    )}
  </section>`;
}

/**
 * Until plan and board are there.
 * @param {Sale.WithEvent<Sale.Model>} model
 */
export function opening({ state }) {
  return html`<section class="notice">
    <h1 tabindex="-1" data-focus>${t("hall.loading")}</h1>
    <progress class="meter" aria-label=${t("hall.loading")}></progress>
    <p class="lead">${state.event.name}</p>
  </section>`;
}

/** @param {Sale.Lasting} model */
function top(model) {
  const { state, act } = model;
  return html`<div class="hall-top">
    <div class="segmented" role="group" aria-label=${t("hall.view")}>
      ${MODES.map(
        (mode) =>
          html`<button
            type="button"
            aria-pressed=${state.ui.mode === mode ? "true" : "false"}
            @click=${() => act.mode(mode)}
          >
            ${t(`hall.${mode}`)}
          </button>`,
      )}
    </div>
    ${legend(model)}
  </div>`;
}

/** @param {Sale.Lasting} model */
function legend({ state, plan, ready, act, free, swatches }) {
  const { filter } = state.ui;
  const { currency } = state.event;
  return html`<div class="legend" role="group" aria-label=${t("hall.filter")}>
    ${plan.categories.map((category, index) => {
      if (category.price === null) return nothing; // not for sale
      const on = filter?.has(index) ?? false;
      return html`<button
        type="button"
        class="chip"
        aria-pressed=${on ? "true" : "false"}
        @click=${() => act.filter(index)}
      >
        <span class="swatch" .style=${swatches.get(category.name) ?? ""} aria-hidden="true">${plan.marks[index]}</span>
        <span class="chip-name">${category.name}</span>
        <span class="chip-price">${money(category.price, currency)}</span>
        <span class="chip-free">${ready ? counted("seats.free", free[index] ?? 0) : nothing}</span>
      </button>`;
    })}
  </div>`;
}

function key() {
  return html`<ul class="key" aria-label=${t("hall.key")}>
    ${LOOKS.map((look) => html`<li>${glyph(look)} ${t(`state.${look}`)}</li>`)}
  </ul>`;
}

/**
 * On a phone the basket is a sheet: a bar with what matters, the rest one tap away.
 * @param {Sale.WithPlan} model
 */
function sheetHandle({ state, plan, board, own, act, over }) {
  const { seats } = state.basket;
  const end = seats.length ? deadline(state) : null;
  const text = seats.length ? counted("seats.count", seats.length) : t("basket.none");
  return html`<div class="sheet-bar">
    <button type="button" class="sheet-toggle" aria-expanded=${state.ui.sheet ? "true" : "false"} @click=${act.sheet}>
      <span class="sheet-grip" aria-hidden="true"></span>
      <span class="visually-hidden">${t("basket.show")}:</span>
      <span class="sheet-text">
        <strong>${text}${seats.length ? html` · ${money(plan.total(seats), state.event.currency)}` : nothing}</strong>
        ${
          end
            ? html`<span class="sheet-time" data-urgent=${isUrgent(state, end) ? "" : nothing}
                >${mayPay(state) ? keptFor(state, end) : t("outage.pay_off_short")}</span
              >`
            : html`<span class="sheet-time">${whatToDo(state, whatIsLeft(board, own.size).kind === "free")}</span>`
        }
      </span>
    </button>
    ${
      seats.length
        ? html`<button
            type="button"
            class="button primary"
            aria-disabled=${mayPay(state) ? nothing : "true"}
            @click=${act.checkout}
          >
            ${t("basket.continue_short")}
          </button>`
        : over && !state.ui.sheet
          ? html`<button type="button" class="button primary" data-testid="choose-again" @click=${act.chooseAgain}>
              ${t("basket.again")}
            </button>`
          : nothing
    }
  </div>`;
}

/**
 * @param {Sale.State} state
 * @param {import("../deadline.js").Deadline} end
 */
const keptFor = (state, { until }) =>
  hand(state, (/** @type {Sale.State} */ now) => t("basket.kept", { time: clock(turnSecondsLeft(now, until)) }));

/**
 * @param {Sale.WithPlan["state"]} state
 * @param {boolean} free there is a seat to tap
 */
function whatToDo(state, free) {
  const { most, bought } = share(state);
  if (isUsedUp(state)) return counted("share.bought", most, { bought });
  return free ? t("basket.pick") : t("basket.nothing_free");
}

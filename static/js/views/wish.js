// "How many?": seats together by one press, before anything is held; and what can be had where that is nothing.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { counted, money, t } from "../i18n.js";
import { mayHold } from "../outage.js";
import { numberName, seatName } from "../seat_words.js";
import { MOST_BUTTONS, isUsedUp, share, sizes, wanted, ways } from "../wish.js";

/**
 * At most one of: what can be had instead of what was refused, while there is something to have; that one buyer's share is
 * used up; the wish.
 * @param {Sale.Lasting} model
 */
export function wish(model) {
  const { state } = model;
  const taken = model.left === "held" || model.left === "gone";
  if (state.instead && !(taken && state.basket.seats.length === 0)) return instead(model, state.instead);
  const { most, bought, left } = share(state);
  if (isUsedUp(state)) return usedUp(most, bought);
  if (left === 0 || state.basket.seats.length > 0 || model.left !== "free") return nothing;
  return form(model);
}

/**
 * @param {number} most
 * @param {number} bought
 */
function usedUp(most, bought) {
  return html`<section class="wish" data-testid="used-up">
    <p class="wish-title">${counted("share.bought", most, { bought })}</p>
    <p>${t("share.used_up")}</p>
    <p><a href="/tickets">${t("share.tickets")}</a></p>
  </section>`;
}

/** @param {Sale.Lasting} model */
function form(model) {
  const { state, plan, act, asked } = model;
  const { most, bought, left } = share(state);
  const count = wanted(state);
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    act.best(count);
  };
  const busy = asked.size > 0 || Object.values(state.pending).some(({ kind }) => kind === "best");
  return html`<form class="wish" data-testid="wish" @submit=${submit}>
    ${bought ? html`<p class="wish-bought">${counted("share.bought", most, { bought })}</p>` : nothing}
    <fieldset>
      <legend class="wish-title">${t("wish.count")}</legend>
      ${left > MOST_BUTTONS ? countList(model, left, count) : countButtons(model, left, count)}
    </fieldset>
    <div class="wish-what">
      <label class="wish-category"><span>${t("wish.category")}</span>${categories(model)}</label>
      ${
        plan.hasAccessible
          ? html`<label class="check"
              ><input
                type="checkbox"
                name="accessible"
                .checked=${live(state.ui.wish.accessible)}
                @change=${(/** @type {InputOf<HTMLInputElement>} */ { target }) => act.wish({ accessible: target.checked })}
              /><span>${state.event.companions ? t("wish.with_companions") : t("wish.accessible")}</span></label
            >`
          : nothing
      }
    </div>
    <button type="submit" class="button primary wide" data-testid="best" ?disabled=${busy || !mayHold(state)}>
      <span>${counted("wish.go", count)}</span> <span class="wish-price">${costs(model, count)}</span>
    </button>
  </form>`;
}

/**
 * @param {Sale.Lasting} model
 * @param {number} left
 * @param {number} count
 */
function countButtons({ act }, left, count) {
  return html`<div class="wish-counts">
    ${Array.from({ length: left }, (_, i) => i + 1).map(
      (number) =>
        html`<label class="wish-count"
          ><input
            type="radio"
            name="count"
            value=${number}
            .checked=${live(number === count)}
            @change=${() => act.wish({ count: number })}
          /><span>${number}</span></label
        >`,
    )}
  </div>`;
}

/**
 * @param {Sale.Lasting} model
 * @param {number} left
 * @param {number} count
 */
function countList({ act }, left, count) {
  return html`<select
    name="count"
    aria-label=${t("wish.count")}
    @change=${(/** @type {InputOf<HTMLSelectElement>} */ { target }) => act.wish({ count: Number(target.value) })}
  >
    ${Array.from({ length: left }, (_, i) => i + 1).map(
      (number) => html`<option value=${number} .selected=${live(number === count)}>${number}</option>`,
    )}
  </select>`;
}

/**
 * The categories that the map shows in full are those that are asked for: one, all, or several.
 * @param {Sale.Lasting} model
 */
function categories({ state, plan, ready, act, free }) {
  const { currency } = state.event;
  const { filter } = state.ui;
  const several = (filter?.size ?? 0) > 1;
  const lowest = Math.min(...plan.categories.map(({ price }) => price ?? Infinity));
  /** @param {InputOf<HTMLSelectElement>} event */
  const chosen = ({ target }) => act.only(target.value === "" ? null : Number(target.value));
  return html`<select name="category" @change=${chosen}>
    <option value="" .selected=${live(filter === null)}>${t("wish.any", { price: money(lowest, currency) })}</option>
    ${several ? html`<option value="several" disabled .selected=${live(true)}>${counted("wish.several", filter?.size ?? 0)}</option>` : nothing}
    ${plan.categories.map(({ name, price }, index) => {
      if (price === null) return nothing;
      const count = free[index] ?? 0;
      const said = [name, money(price, currency), ...(ready ? [counted("seats.free", count)] : [])];
      return html`<option
        value=${index}
        ?disabled=${ready && count === 0}
        .selected=${live(!several && (filter?.has(index) ?? false))}
      >
        ${said.join(" · ")}
      </option>`;
    })}
  </select>`;
}

/**
 * What the button's press will cost: exact for one category.
 * @param {Sale.Lasting} model
 * @param {number} count
 */
function costs({ state, plan }, count) {
  const { filter } = state.ui;
  const prices = plan.categories
    .filter(({ price }, index) => price !== null && (filter === null || filter.has(index)))
    .map(({ price }) => (price ?? 0) * count);
  if (!prices.length) return nothing;
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  const text = money(low, state.event.currency);
  return low === high ? text : t("events.from", { price: text });
}

/**
 * @param {Sale.Lasting} model
 * @param {Sale.Instead} refused
 */
function instead({ state, plan, ready, free, act }, refused) {
  const found = ways(refused, plan, share(state).left, ready ? free : []);
  return html`<section class="wish callout" data-kind="warn" data-testid="instead" aria-labelledby="instead-title">
    <p id="instead-title" class="wish-title">${why(refused, plan)}</p>
    ${found.length ? html`<p class="wish-choose">${t("instead.choose")}</p>` : nothing}
    <ul class="wish-ways">
      ${found.map(
        (way) =>
          html`<li>
            <button type="button" class="button secondary wide" data-way=${way.kind} @click=${() => act.take(way)}>
              ${wayWords(way, plan, state.event.currency)}
            </button>
          </li>`,
      )}
    </ul>
    <button type="button" class="link" @click=${act.others}>${t("instead.others")}</button>
  </section>`;
}

/**
 * One seat is not together with another one, which a language without a singular would say of it.
 * @param {number} count
 * @param {string | null | undefined} category
 */
export function noneOf(count, category = null) {
  if (count === 1) return category ? t("instead.not_one", { category }) : t("best.not_one");
  return category ? counted("instead.none_of", count, { category }) : counted("best.none", count);
}

/**
 * Why not, in a sentence.
 * @param {Sale.Instead} refused
 * @param {Sale.Plan} plan
 */
export function why(refused, plan) {
  if (refused.code === "leaves_single_seat")
    return counted("instead.single", refused.singles.length, { seats: listed(refused.singles, plan) });
  const { count, category, groups = 1 } = refused.wish;
  if (groups > 1) return t("instead.gone", { parts: sizes(refused.wish).join(" + ") });
  return noneOf(count, category);
}

/**
 * @param {Sale.Way} way
 * @param {Sale.Plan} plan
 * @param {string} currency
 */
function wayWords(way, plan, currency) {
  if ("seats" in way) return t(`instead.${way.kind}`, { seats: listed(way.seats, plan) });
  const { kind, category, price } = way;
  const text =
    kind === "split"
      ? t("instead.split", { parts: sizes(way.wish).join(" + ") })
      : way.wish.count === 1
        ? counted("seats.count", 1)
        : counted("instead.together", way.wish.count);
  return [text, category, price === null ? null : money(price, currency)].filter(Boolean).join(" · ");
}

/**
 * Seats by their numbers where they are of one row, which is what the buyer is looking at.
 * @param {number[]} seats
 * @param {Sale.Plan} plan
 */
function listed(seats, plan) {
  const row = plan.rowOf[seats[0]];
  const name = seats.every((seat) => plan.rowOf[seat] === row)
    ? (/** @type {number} */ seat) => numberName(plan.numberOf(seat))
    : (/** @type {number} */ seat) => seatName(plan.seat(seat));
  return seats.map(name).join(", ");
}

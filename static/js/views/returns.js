// The waiting list: the form to join it, the place in it, and what is offered.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { counted, moment, number, reason, t } from "../i18n.js";
import { emailField } from "./parts.js";

/**
 * @typedef {object} Shown
 * @property {Api.EventDetails} event
 * @property {Api.PlaceInList | null | undefined} place undefined: not known yet
 * @property {boolean} busy
 * @property {string | null} failed code
 * @property {string} email
 * @property {boolean} ended an offer ran out while the page was open, and nobody asked for the form since
 * @property {boolean} [sample] only for how high it is
 * @property {(submitted: InputOf<HTMLFormElement>) => void} join
 * @property {() => void} again the form is asked for
 * @property {() => void} leave
 */

const SOME_TIME = "2030-12-31T20:00:00Z";

/** @param {Shown} shown */
export function returns(shown) {
  const { place } = shown;
  if (place === undefined) return nothing;
  return html`<section
    class="returns"
    aria-labelledby="returns-title"
    data-testid="waiting-list"
    data-state=${place?.state ?? "none"}
  >
    ${place && place.state in COMES && (place.state !== "lapsed" || shown.ended) ? inTurn(shown, place) : outside(shown)}
    ${shown.failed ? html`<p class="field-error" role="alert">${reason(shown.failed)}</p>` : nothing}
  </section>`;
}

/**
 * Who has no place (any more): the form.
 * @param {Shown} shown
 */
function outside(shown) {
  const { event, place, busy, email, join } = shown;
  const counts = Array.from({ length: event.max_seats }, (_, index) => index + 1);
  const sold = event.categories.filter((category) => category.price !== null);
  return html`
    ${place?.state === "lapsed" ? html`<p class="callout" data-kind="warn"><strong>${t("returns.lapsed")}</strong> ${t("returns.lapsed_text")}</p>` : nothing}
    ${place?.state === "taken" ? html`<p class="callout">${place.reservation ? html`<a href=${`/reservations/${place.reservation}`}>${t("returns.taken_link")}</a>` : t("returns.taken_elsewhere")}</p>` : nothing}
    <h2 id="returns-title" tabindex="-1">${t("returns.title")}</h2>
    <p>${t("returns.text")}</p>
    <form class="returns-form" @submit=${join}>
      <div class="returns-wish">
        <p class="field">
          <label for="returns-count">${t("returns.count")}</label>
          <select id="returns-count" name="count" aria-describedby="returns-hint">
            ${counts.map((count) => html`<option value=${count}>${number(count)}</option>`)}
          </select>
        </p>
        ${
          sold.length > 1
            ? html`<p class="field">
                <label for="returns-category">${t("returns.category")}</label>
                <select id="returns-category" name="category">
                  <option value="">${t("returns.any")}</option>
                  ${sold.map(({ name }) => html`<option value=${name}>${name}</option>`)}
                </select>
              </p>`
            : nothing
        }
      </div>
      <p class="hint" id="returns-hint">${t("returns.count_hint")}</p>
      ${emailField({ id: "returns-email", label: t("returns.email"), email })}
      <button class="button primary" type="submit" ?disabled=${busy}>
        ${busy ? t("returns.joining") : t("returns.join")}
      </button>
    </form>
  `;
}

/**
 * What comes by itself to who has a place, in the room of the highest of it: what stands below does not move.
 * @type {Record<string, (shown: Shown, place: Api.PlaceInList) => unknown>}
 */
const COMES = { waiting: waits, offered, lapsed };

/**
 * @param {Shown} shown
 * @param {Api.PlaceInList} place
 */
function inTurn(shown, place) {
  // For how high it is, an offer is like any other.
  const until = shown.event.starts_at ?? SOME_TIME;
  const seats = Array.from({ length: place.count }, (_, index) => index);
  /** @type {Api.OfferOf} */
  const any = { seats, until, amount: 0, currency: "", take: "", state: "open" };
  const sample = { ...place, offer: place.offer ?? any };
  return Object.entries(COMES).map(([state, view]) =>
    state === place.state
      ? html`<div class="returns-now">${view(shown, place)}</div>`
      : html`<div class="returns-now not-any-more" aria-hidden="true">
          ${view({ ...shown, sample: true }, sample)}
        </div>`,
  );
}

/**
 * @param {Shown} shown
 * @param {string} words
 */
const heading = ({ sample }, words) => html`<h2 id=${sample ? nothing : "returns-title"} tabindex="-1">${words}</h2>`;

/** @param {Shown} shown */
const leaves = ({ busy, leave }) =>
  html`<p class="quiet">
    <button type="button" class="link" ?disabled=${busy} @click=${leave}>${t("returns.leave")}</button>
  </p>`;

/**
 * @param {Shown} shown
 * @param {Api.PlaceInList} place
 */
function waits(shown, place) {
  return html`
    ${heading(shown, t("returns.waiting"))}
    <p class="returns-place" data-testid=${shown.sample ? nothing : "list-place"}>
      ${place.ahead === 0 ? t("returns.first") : counted("returns.ahead", place.ahead)}
    </p>
    <p>${wish(place)}</p>
    <p class="hint">${t("returns.stay")}</p>
    ${leaves(shown)}
  `;
}

/**
 * @param {Shown} shown
 * @param {Api.PlaceInList} place
 */
function offered(shown, place) {
  const { offer } = place;
  if (!offer) return nothing;
  return html`
    ${heading(shown, t("returns.offered"))}
    <p class="returns-place">
      ${counted("seats.count", offer.seats.length)} ·
      ${t("returns.until", { time: moment(offer.until, shown.event.time_zone) })}
    </p>
    <p class="actions">
      <a class="button primary" data-testid=${shown.sample ? nothing : "offer"} href=${`/returns/${place.id}`}
        >${t("returns.see")}</a
      >
    </p>
    ${leaves(shown)}
  `;
}

/**
 * The offer ran out while the page was open: the form comes by a press.
 * @param {Shown} shown
 */
function lapsed(shown) {
  return html`
    ${heading(shown, t("returns.lapsed"))}
    <p>${t("returns.lapsed_text")}</p>
    <p class="actions">
      <button
        type="button"
        class="button primary"
        data-testid=${shown.sample ? nothing : "list-again"}
        @click=${shown.again}
      >
        ${t("returns.join")}
      </button>
    </p>
  `;
}

/** @param {Api.PlaceInList} place */
export const wish = (place) =>
  counted("returns.asked", place.count, { category: place.category ?? t("returns.any"), email: place.email });

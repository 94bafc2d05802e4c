// What is between this page and the shop, in the bar: it takes the place of the bar's title, so nothing moves and nothing
// is covered. Short words: they have the room of a phone's bar (css/base.css).
import { byId } from "./dom.js";

/**
 * @param {string | null} kind how it looks; null or "": there is nothing to be said
 * @param {string} [text]
 */
export function tellInBar(kind, text = "") {
  const banner = byId("banner");
  const said = kind ? text : "";
  if (banner.textContent === said && (banner.dataset.kind ?? "") === (kind ?? "")) return;
  banner.dataset.kind = kind ?? "";
  banner.textContent = said;
}

// What is wrong in a form, in one place: how much it is, and a link to each field.
import { html } from "../../vendor/lit-html/lit-html.js";
import { counted, t } from "../i18n.js";
import { sentence } from "./field.js";

/**
 * @typedef {{id: string, label: string, fault: string}} Fault `id` of the field; `fault`: a key, as in `sale_fields.js`
 */

/** @param {Fault[]} faults */
export const errorSummary = (faults) =>
  html`<div class="callout error-summary" data-kind="bad">
    <p role="alert">${counted("ops.new.wrong", faults.length)}</p>
    <ul>
      ${faults.map(
        ({ id, label, fault }) =>
          html`<li>
            <a href=${`#${id}`} @click=${(/** @type {Event} */ event) => go(event, id)}>${label}</a>: ${sentence(fault)}
          </li>`,
      )}
    </ul>
  </div>`;

/**
 * The faults of a form whose fields `field.js` draws.
 * @param {{id: string, wrong: Map<string, string>}} form
 * @returns {Fault[]}
 */
export const faultsOf = ({ id, wrong }) =>
  [...wrong].map(([name, fault]) => ({ id: `${id}-${name}`, label: t(`ops.field.${name}`), fault }));

/**
 * @param {Event} event
 * @param {string} id
 */
function go(event, id) {
  event.preventDefault();
  document.getElementById(id)?.focus();
}

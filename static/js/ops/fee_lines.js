// What giving tickets back costs a buyer: a line for each price of it, by the hours that are left until the start.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { t } from "../i18n.js";
import { sentence } from "./field.js";
import { feeFaults, feeRows, MOST_FEES } from "./sale_fields.js";

/** @param {Console.TextsForm} form whose `fields.fees` are the lines, as `feeRows` reads them */
export function feeLines(form) {
  const rows = feeRows(form.fields.fees);
  const faults = form.wrong.has("fees") ? feeFaults(form.fields.fees) : new Set();
  const id = `${form.id}-fees`;
  /** @param {[string, string][]} lines */
  const write = (lines) => form.write("fees", lines.map((line) => line.join("=")).join("\n"));
  /**
   * @param {number} index
   * @param {0 | 1} part
   */
  const typed = (index, part) => (/** @type {InputOf<HTMLInputElement>} */ event) => {
    const value = event.target.value.replaceAll(/[=\n]/g, "");
    write(rows.map((line, at) => (at !== index ? line : part === 0 ? [value, line[1]] : [line[0], value])));
  };
  /**
   * @param {number} index
   * @param {0 | 1} part
   */
  const input = (index, part) => {
    const name = part === 0 ? "hours" : "percent";
    return html`<input
      type="text"
      inputmode=${part === 0 ? "decimal" : "numeric"}
      autocomplete="off"
      aria-label=${t(`ops.field.fee_${name}`)}
      aria-invalid=${faults.has(`${index}.${name}`) ? "true" : "false"}
      aria-describedby=${form.wrong.has("fees") ? `${id}-wrong` : nothing}
      data-fee=${name}
      .value=${live(rows[index][part])}
      @input=${typed(index, part)}
    />`;
  };
  return html`<fieldset class="fees" id=${id} tabindex="-1" data-field="fees">
    <legend>${t("ops.field.fees")}</legend>
    <p class="hint">${t("ops.field.fees_hint")}</p>
    ${
      rows.length
        ? html`<ul>
            ${rows.map(
              (_, index) =>
                html`<li>
                  <span>${t("ops.field.fee_until")}</span> ${input(index, 0)}
                  <span>${t("ops.field.fee_before")}</span> ${input(index, 1)}
                  <span>${t("ops.field.fee_cost")}</span>
                  <button
                    type="button"
                    class="button small secondary"
                    @click=${() => write(rows.filter((_line, at) => at !== index))}
                  >
                    ${t("ops.field.fee_less")}
                  </button>
                </li>`,
            )}
          </ul>`
        : html`<p class="note">${t("ops.field.fees_none")}</p>`
    }
    ${form.wrong.has("fees") ? html`<p class="wrong" id="${id}-wrong">${sentence("fees")}</p>` : nothing}
    ${rows.length < MOST_FEES ? html`<button type="button" class="button small secondary" data-more @click=${() => write([...rows, ["", ""]])}>${t("ops.field.fee_more")}</button>` : nothing}
  </fieldset>`;
}

// The event's picture in a form: chosen, shown, taken away. Who has the form sends it.
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { Busy } from "../busy.js";
import { reason, t } from "../i18n.js";
import { LONG } from "./api.js";

export const MOST_BYTES = 2 * 1024 * 1024; // core/venue/picture.py
const TYPES = "image/jpeg,image/png,image/webp,image/gif";

export class PictureField {
  /**
   * @param {string} id of the form
   * @param {(file: File | null) => void} changed told the file that was chosen; null: the picture is taken away
   * @param {() => void} redraw
   */
  constructor(id, changed, redraw) {
    this.id = `${id}-picture`;
    this.changed = changed;
    this.redraw = redraw;
    /** The picture that is shown, chosen or known to the server. @type {{url: string, width?: number, height?: number} | null} */
    this.shown = null;
    this.busy = new Busy(redraw, LONG);
    this.failure = "";
  }

  /** @param {Api.PictureShown[]} pictures as the server has it */
  learn(pictures) {
    this.shown = pictures.at(0) ?? null;
  }

  /** @param {InputOf<HTMLInputElement>} event */
  #chosen = ({ target }) => {
    const file = target.files?.[0];
    target.value = ""; // the same file can be chosen again
    if (!file) return;
    this.failure = file.size > MOST_BYTES ? t("ops.picture.large") : "";
    // A drawing is none; what the browser does not know by its name is for the server to see.
    if (file.type && !TYPES.split(",").includes(file.type)) this.failure = reason("picture_unusable");
    if (this.failure) this.redraw();
    else this.#read(file);
  };

  /**
   * As a `data:` address: pages show pictures from nowhere else but their own server.
   * @param {File} file
   */
  #read(file) {
    const reader = new FileReader();
    reader.onload = () => {
      this.shown = { url: String(reader.result) };
      this.changed(file);
    };
    reader.onerror = () => {
      this.failure = reason("picture_unusable");
      this.redraw();
    };
    reader.readAsDataURL(file);
  }

  #takeAway = () => {
    this.failure = "";
    this.shown = null;
    this.changed(null);
  };

  draw() {
    const { id, shown, failure, busy } = this;
    return html`<div class="field picture-field" data-field="picture">
      <label for=${id}>${t("ops.field.picture")}</label>
      <div class="frame" ?data-empty=${!shown}>
        ${shown ? html`<img src=${shown.url} alt="" width=${shown.width ?? nothing} height=${shown.height ?? nothing} />` : nothing}
      </div>
      <div class="actions">
        <input
          id=${id}
          type="file"
          accept=${TYPES}
          ?disabled=${busy.on}
          aria-invalid=${failure ? "true" : "false"}
          aria-describedby="${id}-hint${failure ? ` ${id}-wrong` : ""}"
          @change=${this.#chosen}
        />
        <button
          type="button"
          class="button small secondary"
          ?data-off=${!shown}
          ?disabled=${busy.on}
          @click=${this.#takeAway}
        >
          ${t("ops.picture.remove")}
        </button>
      </div>
      <div class="either">
        <p class="hint" id="${id}-hint" ?data-off=${failure}>${t("ops.picture.hint")}</p>
        ${failure ? html`<p class="wrong" id="${id}-wrong" role="alert">${failure}</p>` : nothing}
      </div>
    </div>`;
  }
}

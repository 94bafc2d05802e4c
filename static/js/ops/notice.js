// What an operator is asked, and what is told afterwards.
import { html, render } from "../../vendor/lit-html/lit-html.js";
import { live } from "../../vendor/lit-html/directives/live.js";
import { Refusal } from "../api.js";
import { byId } from "../dom.js";
import { reason, t } from "../i18n.js";

const SHOWN = 6000; // milliseconds

let timer = 0;

/**
 * One line at the bottom of the page, read out; `bad` for what did not work.
 * @param {string} text
 */
export function tell(text, { bad = false } = {}) {
  const toast = byId("toast");
  // A new line for each word: one line with other words would move.
  const line = document.createElement("p");
  line.textContent = text;
  toast.replaceChildren(line);
  toast.dataset.kind = bad ? "bad" : "good";
  toast.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => {
    toast.hidden = true;
  }, SHOWN);
}

/**
 * Why a call failed, in plain words.
 * @param {unknown} error
 */
export const why = (error) =>
  error instanceof Refusal ? `${reason(error.code)}${error.detail ? ` (${error.detail})` : ""}` : t("ops.no_answer");

/**
 * Tells why a call failed: what a button is told that has nothing of its own to say.
 * @param {unknown} error
 */
export const sorry = (error) => tell(why(error), { bad: true });

/**
 * Runs `action`, tells `done(result)` or why not; resolves to the result, or undefined.
 * @template Result
 * @param {() => Promise<Result>} action
 * @param {(result: Result) => string | undefined} [done]
 * @returns {Promise<Result | undefined>}
 */
export async function attempt(action, done) {
  try {
    const result = await action();
    const text = done?.(result);
    if (text) tell(text);
    return result;
  } catch (error) {
    sorry(error);
    return undefined;
  }
}

/**
 * Asks before something that cannot be taken back. Resolves to true when confirmed.
 * @typedef {{title: string, text: string, go: string, word?: string | null}} Confirmation `word`: has to be typed
 * @param {Confirmation} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, go, word = null }) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm"));
  return new Promise((resolve) => {
    let typedWord = "";
    // However it is closed, by a button, by Esc or by the browser: who asked gets an answer.
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.returnValue = "no";
    /** @param {Event} event */
    const submit = (event) => {
      event.preventDefault();
      if (!word || typedWord.trim() === word) dialog.close("yes");
    };
    /** @param {InputOf<HTMLInputElement>} event */
    const typed = (event) => {
      typedWord = event.target.value;
      draw();
    };
    const draw = () =>
      render(
        html`<form @submit=${submit}>
          <h2 id="confirm-title">${title}</h2>
          <p>${text}</p>
          ${
            word
              ? html`<label for="confirm-word">${t("ops.confirm.type", { word })}</label>
                  <input
                    id="confirm-word"
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    .value=${live(typedWord)}
                    @input=${typed}
                  />`
              : null
          }
          <div class="actions">
            <button type="button" class="button secondary" @click=${() => dialog.close("no")}>
              ${t("ops.confirm.no")}
            </button>
            <button type="submit" class="button danger" ?disabled=${word !== null && typedWord.trim() !== word}>
              ${go}
            </button>
          </div>
        </form>`,
        dialog,
      );
    draw();
    dialog.showModal();
    /** @type {HTMLElement | null} */
    const first = dialog.querySelector(word ? "input" : "button");
    first?.focus();
  });
}

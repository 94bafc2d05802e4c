// What an operator is asked, and what is told afterwards.
import { html, render } from "../../vendor/lit-html/lit-html.js";
import { reason, t } from "../i18n.js";

const SHOWN = 6000; // milliseconds

let timer = null;

/** One line at the bottom of the page, read out; `bad` for what did not work. */
export function tell(text, { bad = false } = {}) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.dataset.kind = bad ? "bad" : "good";
  toast.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => {
    toast.hidden = true;
  }, SHOWN);
}

/** Why a call failed, in plain words. */
export const why = (error) =>
  error.code ? `${reason(error.code)}${error.detail ? ` (${error.detail})` : ""}` : t("ops.no_answer");

/** Runs `action`, tells `done(result)` or why not; resolves to the result, or undefined. */
export async function attempt(action, done) {
  try {
    const result = await action();
    const text = done?.(result);
    if (text) tell(text);
    return result;
  } catch (error) {
    tell(why(error), { bad: true });
    return undefined;
  }
}

/**
 * Asks before something that cannot be taken back. `word`: has to be typed. Resolves to true when confirmed.
 */
export function confirm({ title, text, go, word = null }) {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    const end = (answer) => {
      dialog.close();
      resolve(answer);
    };
    const submit = (event) => {
      event.preventDefault();
      if (!word || dialog.querySelector("input").value.trim() === word) end(true);
    };
    const typed = (event) => {
      dialog.querySelector("[type=submit]").disabled = event.target.value.trim() !== word;
    };
    render(
      html`<form @submit=${submit}>
        <h2 id="confirm-title">${title}</h2>
        <p>${text}</p>
        ${
          word
            ? html`<label for="confirm-word">${t("ops.confirm.type", { word })}</label>
                <input id="confirm-word" type="text" autocomplete="off" spellcheck="false" @input=${typed} />`
            : null
        }
        <div class="actions">
          <button type="button" class="button secondary" @click=${() => end(false)}>${t("ops.confirm.no")}</button>
          <button type="submit" class="button danger" ?disabled=${Boolean(word)}>${go}</button>
        </div>
      </form>`,
      dialog,
    );
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
    dialog.querySelector(word ? "input" : "button").focus();
  });
}

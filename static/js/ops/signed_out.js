// A session that ended under an open page: signing in again in its place. What was typed stays, and is not seen until then.
import { html, render } from "../../vendor/lit-html/lit-html.js";
import { NoAnswer, wentWrong } from "../api.js";
import { Busy } from "../busy.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { session, watchSession } from "./api.js";
import { tell, why } from "./notice.js";

/** Told to the document: what could not be asked can be asked again. */
export const SIGNED_IN = "onsale:signed-in";

const PATIENCE = 15000; // milliseconds

/**
 * Opens a session; rejects with Refusal or NoAnswer.
 * @param {string} name
 * @param {string} token
 * @returns {Promise<boolean>} false: this is not the token
 */
async function signIn(name, token) {
  let response;
  try {
    response = await fetch("/ops/login", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams({ name, token }),
      redirect: "manual", // the session is in its answer; the page that it leads to is this one
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    throw new NoAnswer(String(error));
  }
  if (response.type === "opaqueredirect") return true;
  if (response.status === 401) return false;
  throw await wentWrong(response);
}

/** From now on a session that has ended is asked for in the page. */
export function watchSignedOut() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("signed-out"));
  const who = byId("who");
  let wanted = false;
  let wrong = "";
  const busy = new Busy(() => draw());

  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const fields = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const asked = async () => {
      wrong = "";
      if (await signIn(String(fields.get("name")), String(fields.get("token")))) await session();
      else wrong = t("ops.signin.wrong");
    };
    await busy.run(asked, (error) => {
      wrong = why(error);
    });
    if (wrong) byId("signed-out-token").focus();
  };
  const draw = () =>
    render(
      wanted
        ? html`<form @submit=${submit}>
            <h2 id="signed-out-title" tabindex="-1">${t("ops.signed_out.title")}</h2>
            <p id="signed-out-lead">${t("ops.signed_out.lead")}</p>
            <p class="callout" data-kind="bad" role="alert" id="signed-out-wrong" ?hidden=${!wrong}>${wrong}</p>
            <div>
              <label for="signed-out-name">${t("ops.signin.name")}</label>
              <input
                id="signed-out-name"
                name="name"
                type="text"
                autocomplete="username"
                maxlength="40"
                value=${who.textContent}
              />
            </div>
            <div>
              <label for="signed-out-token">${t("ops.signin.token")}</label>
              <input
                id="signed-out-token"
                name="token"
                type="password"
                autocomplete="current-password"
                required
                aria-invalid=${wrong ? "true" : "false"}
                aria-describedby="signed-out-wrong"
              />
            </div>
            <button class="button primary wide" type="submit" aria-busy=${busy.on ? "true" : "false"}>
              ${t("ops.signin.go")}
            </button>
          </form>`
        : null,
      dialog,
    );
  const open = () => {
    if (dialog.open) return;
    wanted = true;
    wrong = "";
    draw();
    dialog.showModal();
    // Not the token's field: who is typing in the page must not type there.
    byId("signed-out-title").focus();
  };
  const close = async () => {
    if (!wanted) return;
    wanted = false;
    draw();
    dialog.close();
    tell(t("ops.signed_out.back"));
    document.dispatchEvent(new Event(SIGNED_IN));
    try {
      who.textContent = (await session()).name; // in another tab it may have been another person
    } catch {
      // Told by whatever asks next.
    }
  };
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // Some browsers close it all the same, at the second Esc.
  dialog.addEventListener("close", () => wanted && open());
  // Back from another tab, where somebody may have signed in.
  document.addEventListener("visibilitychange", () => wanted && !document.hidden && session().catch(() => {}));
  watchSession({ ended: open, held: close });
}

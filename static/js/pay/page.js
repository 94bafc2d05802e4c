// The payment page: counts down, opens the provider's window, and follows what happens to the order elsewhere.
import { countDown, written } from "./clock.js";
import { openWindow, WindowLeft } from "./windows.js";

const LOOK_EVERY = 5000; // milliseconds: another tab or browser may have paid
const URGENT = 60; // seconds
const WINDOW_TIMEOUT = 20000; // milliseconds until the server's answer; after that the button is free again
const OPEN_TIMEOUT = 30000; // milliseconds until the browser has left for the window

const drawn = performance.now();
const main = document.getElementById("content");
const { state, page, result, until, now, order } = main.dataset;
const form = main.querySelector("[data-open]");
const failure = main.querySelector("[data-failure]");
const clock = main.querySelector("[data-clock]");
const said = (name) => main.querySelector(`[data-text="${name}"]`)?.textContent ?? "";

countDown({
  until,
  now,
  drawn,
  show(seconds) {
    clock.textContent = written(seconds);
    clock.parentElement.toggleAttribute("data-urgent", seconds <= URGENT);
  },
  over: () => location.assign(result),
});

let busy = false;

async function open() {
  if (busy) return;
  const phone = form.elements.phone?.value.replace(/[^0-9]/g, "");
  if (form.hasAttribute("data-phone") && !(phone?.length >= 9)) {
    tell(said("phone"));
    form.elements.phone.setAttribute("aria-invalid", "true");
    form.elements.phone.focus();
    return;
  }
  setBusy(true);
  tell("");
  try {
    const answer = await fetch(page, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(WINDOW_TIMEOUT),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    if (body.order !== order || body.state !== "OPEN" || !body.kind) {
      location.assign(result);
      return;
    }
    remember();
    await withEnd(openWindow(body, { phone }), OPEN_TIMEOUT);
    // The browser is on its way; a window that only covers this page ends in `m_Completepayment` and the like.
  } catch (error) {
    if (error instanceof WindowLeft) await close(error.code);
    else tell(said("failed"));
    setBusy(false);
  }
}

/** A navigation that does not happen must not leave the button busy for ever. */
function withEnd(promise, milliseconds) {
  let timer;
  const end = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the window did not open")), milliseconds);
  });
  return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

/** The buyer left the window: the server is told by the same address that the provider would have used. */
async function close(code) {
  const answer = await fetch(page, { headers: { Accept: "application/json" } }).then((got) => got.json());
  const target = answer.fields?.failUrl ?? answer.fields?.closed_url;
  if (!target) {
    location.reload();
    return;
  }
  const url = new URL(target);
  url.searchParams.set("code", code);
  location.assign(url);
}

function setBusy(now_) {
  busy = now_;
  const button = form?.querySelector("button[type=submit]");
  if (!button) return;
  button.setAttribute("aria-disabled", String(now_));
  button.dataset.label ??= button.textContent;
  button.textContent = now_ ? button.dataset.opening : button.dataset.label;
}

function tell(text) {
  failure.textContent = text;
  failure.hidden = text === "";
}

const memory = `onsale.window.${order}`;

function remember() {
  try {
    sessionStorage.setItem(memory, "opened");
  } catch {
    // A browser that keeps nothing opens the window by the button.
  }
}

/** Whether this is the buyer's first arrival: only then the window opens by itself. Back from it, a press is wanted. */
function isFirstArrival() {
  const [navigation] = performance.getEntriesByType("navigation");
  try {
    return navigation?.type === "navigate" && sessionStorage.getItem(memory) === null;
  } catch {
    return false;
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  open();
});
window.addEventListener("pageshow", (event) => {
  // Back from the provider's window into a kept page: what it says may be old.
  if (event.persisted) location.reload();
});

setInterval(async () => {
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(result, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const body = await answer.json();
    if (body.page === null) location.assign(result);
    else if (body.page !== page || body.state !== state) location.assign(body.page);
  } catch {
    // The next look may find the network again.
  }
}, LOOK_EVERY);

if (state === "OPEN" && form && !form.hasAttribute("data-phone") && isFirstArrival()) open();

// The payment page: counts down, opens the provider's window, and follows what happens to the order elsewhere.
import { call } from "../api.js";
import { tellInBar } from "../banner.js";
import { byId } from "../dom.js";
import { stood } from "../outage.js";
import { OutageWatch } from "../outage_watch.js";
import { answered, countDown, written } from "./clock.js";
import { untilLeft } from "./watch.js";
import { openWindow } from "./windows.js";

const LOOK_EVERY = 5000; // milliseconds: another tab or browser may have paid
const URGENT = 60; // seconds
const ANSWER_TIMEOUT = 20000; // milliseconds until the server has said what the window needs
const OPEN_TIMEOUT = 30000; // milliseconds until the browser has left for the window, or a layer lies over the page

const drawn = answered();
const main = byId("content");
const { state = "", page = "", result = "", until = "", now = "", order = "" } = main.dataset;
/** @type {HTMLFormElement | null} */
const form = main.querySelector("form[data-open]");
/** @type {HTMLFormElement | null} */
const again = main.querySelector("form[data-again]");
/** @type {HTMLElement | null} */
const failure = main.querySelector("[data-failure]");
const clock = main.querySelector("[data-clock]");

/** @param {string} name */
const said = (name) => main.querySelector(`[data-text="${name}"]`)?.textContent ?? "";

let busy = false;
/** @type {HTMLElement | null} What is said below the button. */
const word = main.querySelector("[data-word]");
const once = word?.textContent ?? "";
const outage = new OutageWatch({
  changed(kind) {
    tellInBar(kind, said(`outage.${kind}`));
    if (word) word.textContent = isOff() ? said("outage.pay_off") : once;
    setBusy(busy);
    left.draw();
  },
  // The new end is known before the clock goes on.
  back: () => look(),
});

const left = countDown({
  until,
  now,
  drawn,
  standing: (at) => stood(outage.outage, at),
  show(seconds) {
    if (!clock) return;
    clock.textContent = written(seconds);
    clock.parentElement?.toggleAttribute("data-urgent", seconds <= URGENT);
  },
  over: () => location.assign(result),
});

/** @param {HTMLFormElement} asked */
async function open(asked) {
  if (busy || isOff()) return;
  const phone = phoneOf(asked);
  if (phone === null) return;
  setBusy(true);
  tell("");
  try {
    /** @type {{body: Pay.Window}} */
    const { body } = await call("GET", page, { timeout: ANSWER_TIMEOUT });
    if (body.order !== order || body.state !== "OPEN" || !body.kind) {
      location.assign(result);
      return;
    }
    remember();
    await untilLeft(openWindow(body, phone), OPEN_TIMEOUT);
  } catch {
    tell(said("failed"));
    setBusy(false);
  }
}

/**
 * The number as digits; "" where none is asked for; null when it is wrong, and the buyer has been told.
 * @param {HTMLFormElement} asked
 */
function phoneOf(asked) {
  if (!asked.hasAttribute("data-phone")) return "";
  const field = /** @type {HTMLInputElement} */ (asked.elements.namedItem("phone"));
  const digits = field.value.replace(/[^0-9]/g, "");
  field.toggleAttribute("aria-invalid", digits.length < 9);
  if (digits.length >= 9) return digits;
  tell(said("phone"));
  field.focus();
  return null;
}

/** Nothing can be paid while a store or payment is away. */
const isOff = () => Boolean(outage.outage?.away.size);

/** @param {boolean} value */
function setBusy(value) {
  busy = value;
  for (const button of again?.querySelectorAll("button") ?? []) button.setAttribute("aria-disabled", String(isOff()));
  const button = form?.querySelector("button");
  if (!button) return;
  button.setAttribute("aria-disabled", String(value || isOff()));
  button.dataset.label ??= button.textContent ?? "";
  button.textContent = (value ? button.dataset.opening : button.dataset.label) ?? "";
}

/** @param {string} text */
function tell(text) {
  if (!failure) return;
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
    return (
      navigation instanceof PerformanceNavigationTiming &&
      navigation.type === "navigate" &&
      sessionStorage.getItem(memory) === null
    );
  } catch {
    return false;
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  open(form);
});

// The page that the server would draw could not be drawn: what is here stays.
again?.addEventListener("submit", (event) => isOff() && event.preventDefault());

window.addEventListener("pageshow", (event) => {
  // Back from the provider's window into a kept page: what it says may be old.
  if (event.persisted) location.reload();
});

async function look() {
  try {
    const { body } = await call("GET", result, { timeout: LOOK_EVERY });
    left.move(body.kept_until);
    left.learn(body.now);
    if (body.page === null) location.assign(result);
    else if (body.page !== page || body.state !== state) location.assign(body.page);
  } catch {
    // The next look may find the network again.
  }
}

setInterval(() => document.hidden || busy || look(), LOOK_EVERY);
outage.start();

if (form && !form.hasAttribute("data-phone") && isFirstArrival()) open(form);

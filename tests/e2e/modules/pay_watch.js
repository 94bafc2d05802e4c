import { isCovered, untilLeft } from "/static/js/pay/watch.js";
import { same, that } from "./same.js";

const said = (watch) => watch.then(() => "resolved", (error) => error.message);
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function whatTheProvidersScriptThrewIsToldAtOnce() {
  same(await said(untilLeft(Promise.reject(new Error("no key")), 60000, () => false, 5)), "no key");
}

// A script that returns and shows nothing, a navigation that does not come.
export async function aWindowThatDoesNotOpenHasAnEnd() {
  for (const opening of [Promise.resolve(), new Promise(() => {})])
    same(await said(untilLeft(opening, 30, () => false, 5)), "the window did not open");
}

// PortOne's call ends when its layer does: half an hour later perhaps.
export async function underALayerTimeDoesNotCount() {
  let covered = true;
  let ended = "";
  const watch = said(untilLeft(new Promise(() => {}), 40, () => covered, 5)).then((message) => (ended = message));
  await later(150);
  same(ended, "");
  covered = false;
  await watch;
  same(ended, "the window did not open");
}

export function aLayerIsWhatTheProviderLaidOverThePage() {
  that(!isCovered(), "the page as it was drawn");
  const layers = [document.createElement("dialog"), document.createElement("div")];
  layers[1].style.cssText = "position: fixed; inset: 0; z-index: 9999";
  for (const layer of layers) {
    layer.append(document.createElement("iframe"));
    document.body.append(layer);
    if (layer instanceof HTMLDialogElement) layer.showModal();
    try {
      that(isCovered(), layer.localName);
    } finally {
      layer.remove();
    }
    that(!isCovered(), `${layer.localName} is gone`);
  }
}

// The forms that are sent to a window are the page's own work, and nobody sees them.
export function hiddenFormsCoverNothing() {
  const form = document.createElement("form");
  form.hidden = true;
  document.body.append(form);
  try {
    that(!isCovered(), "a hidden form");
  } finally {
    form.remove();
  }
}

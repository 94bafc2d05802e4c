// A short sentence at the edge of the page, wherever the visitor is in it.
import { announce } from "./announce.js";

const SHOWN = 4000; // milliseconds

/**
 * Shows `text` for a moment.
 * @param {Sale.Store} store
 * @param {string} text
 */
export function toast(store, text) {
  store.dispatch({ type: "toast", text });
  const { count } = store.state.ui.toast ?? { count: 0 };
  setTimeout(() => store.dispatch({ type: "untoast", count }), SHOWN);
}

/**
 * The same, and said.
 * @param {Sale.Store} store
 * @param {string} text
 */
export function note(store, text) {
  announce(text, { urgent: true });
  toast(store, text);
}

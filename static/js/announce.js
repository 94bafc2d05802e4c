// What screen readers are told. Polite news is gathered, so that a crowd's changes do not talk over the visitor.

let pending = 0;

/** @param {string | null} text */
export function announce(text, { urgent = false } = {}) {
  const region = document.getElementById(urgent ? "live-urgent" : "live-polite");
  if (!region || !text) return;
  if (urgent) {
    put(region, text);
    return;
  }
  clearTimeout(pending);
  pending = setTimeout(() => put(region, text), 150);
}

/**
 * @param {HTMLElement} region
 * @param {string} text
 */
function put(region, text) {
  // The same text again is news only when the region was empty in between.
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}

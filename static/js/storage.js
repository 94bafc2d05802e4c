// localStorage and sessionStorage, or a stand-in for this page's life where the browser forbids them.

/** @implements {Sale.Items} */
class Fleeting {
  /** @type {Map<string, string>} */
  #items = new Map();
  /** @param {string} key */
  getItem = (key) => this.#items.get(key) ?? null;
  /**
   * @param {string} key
   * @param {string} value
   */
  setItem = (key, value) => void this.#items.set(key, value);
  /** @param {string} key */
  removeItem = (key) => void this.#items.delete(key);
}

/**
 * @param {"localStorage" | "sessionStorage"} which
 * @returns {Sale.Items}
 */
function usable(which) {
  try {
    const storage = globalThis[which];
    storage.setItem("onsale.probe", "1");
    storage.removeItem("onsale.probe");
    return storage;
  } catch {
    return new Fleeting();
  }
}

export const lasting = usable("localStorage");
export const session = usable("sessionStorage");

/**
 * Whether what is kept there outlives this page.
 * @param {Sale.Items} storage
 */
export const remembers = (storage) => !(storage instanceof Fleeting);

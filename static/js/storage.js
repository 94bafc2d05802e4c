// localStorage and sessionStorage, or a stand-in for this page's life where the browser forbids them.

class Fleeting {
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, String(value));
  removeItem = (key) => void this.#items.delete(key);
}

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

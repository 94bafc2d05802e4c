// What this browser puts into its receipt for the draw, and keeps to prove that the receipt is its own.

/** receipt = SHA-256(nonce || salt): the nonce is made here, so that the server alone cannot choose the receipt. */
export class Entry {
  /**
   * @param {string} slug
   * @param {Sale.Items} storage
   */
  constructor(slug, storage) {
    this.name = `onsale.entry.${slug}`;
    this.storage = storage;
    /** @type {string | null} */
    this.made = null;
  }

  /** @returns {{nonce: string, salt: string, receipt: string} | null} */
  get kept() {
    try {
      return JSON.parse(this.storage.getItem(this.name) ?? "null");
    } catch {
      return null;
    }
  }

  /** 16 random bytes in hexadecimal digits; the same until the server has answered. */
  nonce() {
    this.made ??= [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    return this.made;
  }

  /** @param {{receipt: string, salt: string}} told */
  learn({ receipt, salt }) {
    // An entry that a ticket brought back has the nonce of before.
    if (this.kept?.receipt === receipt) return;
    this.storage.setItem(this.name, JSON.stringify({ nonce: this.nonce(), salt, receipt }));
    this.made = null;
  }
}

// Recomputes a draw by the algorithm `onsale-draw-1` (docs/fairness.md), with the browser's own cryptography.
// No DOM in here. What core/waiting_room/draw.py says of a draw, this says as well: a test holds the two together.

export const ALGORITHM = "onsale-draw-1";
const SEED_BYTES = 32;
const PAGE = 2000; // receipts at once: the page stays alive meanwhile

const RECEIPT = /^[0-9a-f]{64}$/;
const encoder = new TextEncoder();

/** Browsers give cryptography to pages that came over https, or from this machine, only. */
export const canVerify = () => globalThis.isSecureContext && Boolean(globalThis.crypto?.subtle);

/** @param {ArrayBuffer} bytes */
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {string} digits */
const unhex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** @param {Uint8Array<ArrayBuffer>} bytes */
const sha256 = async (bytes) => hex(await crypto.subtle.digest("SHA-256", bytes));

/**
 * SHA-256(nonce || salt), both in hexadecimal digits.
 * @param {string} nonce
 * @param {string} salt
 */
export const receiptOf = (nonce, salt) => sha256(unhex(nonce + salt));

/** @param {string[]} receipts */
export const rootOf = (receipts) =>
  sha256(
    encoder.encode(
      [...receipts]
        .sort()
        .map((receipt) => `${receipt}\n`)
        .join(""),
    ),
  );

/**
 * @typedef {{algorithm: string, commitment: string | null, seed?: string | null, root?: string | null,
 *   count?: number | null, beacon: {value: string | null} | null}} Draw
 */

/**
 * What does not hold, as keys (`draw.wrong.<key>`); nothing when all of it does.
 * @param {Draw} draw
 * @param {string[]} entries receipts in the published order
 * @param {(done: number) => void} [progress]
 * @returns {Promise<string[]>}
 */
export async function differences(draw, entries, progress = () => {}) {
  if (draw.algorithm !== ALGORITHM) return ["algorithm"];
  const wrong = [];
  const seedDigits = draw.seed ?? "";
  if (!/^[0-9a-f]*$/.test(seedDigits) || seedDigits.length !== 2 * SEED_BYTES) return ["seed"];
  const seed = unhex(seedDigits);
  if ((await sha256(seed)) !== draw.commitment) wrong.push("commitment");
  if (entries.some((entry) => !RECEIPT.test(entry))) return [...wrong, "entry"];
  if (new Set(entries).size !== entries.length) wrong.push("twice");
  if (entries.length !== draw.count) wrong.push("count");
  const root = await rootOf(entries);
  if (root !== draw.root) wrong.push("root");
  const keys = await drawKeys(seed, `${root}\n${draw.beacon?.value ?? ""}\n`, entries, progress);
  if (keys.some((key, place) => place > 0 && keys[place - 1] > key)) wrong.push("order");
  return wrong;
}

/**
 * The key of each receipt, in hexadecimal digits: the order of the draw is theirs.
 * @param {Uint8Array<ArrayBuffer>} seed
 * @param {string} prefix
 * @param {string[]} entries
 * @param {(done: number) => void} progress
 */
async function drawKeys(seed, prefix, entries, progress) {
  const secret = await crypto.subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  /** @type {string[]} */
  const keys = [];
  for (let first = 0; first < entries.length; first += PAGE) {
    const page = entries.slice(first, first + PAGE);
    const signed = await Promise.all(
      page.map((entry) => crypto.subtle.sign("HMAC", secret, encoder.encode(prefix + entry))),
    );
    for (const bytes of signed) keys.push(hex(bytes));
    progress(keys.length);
  }
  return keys;
}

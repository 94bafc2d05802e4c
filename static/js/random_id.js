// A random id that nobody can guess. `crypto.randomUUID` is missing on plain http from another machine, where a phone in
// the same network tries a sale; `getRandomValues` is there.

/** 128 random bits as 32 hexadecimal digits. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

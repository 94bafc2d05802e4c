// The mirror of the server's board: one byte a seat. Knows when it has missed something.

export const AVAILABLE = 0;
export const HELD = 1;
export const SOLD = 2;
export const BLOCKED = 3;

export class Board {
  constructor() {
    this.epoch = -1;
    this.version = -1;
    this.states = new Uint8Array(0);
    this.counts = [0, 0, 0, 0];
  }

  get ready() {
    return this.version >= 0;
  }

  /**
   * A whole board (`board` message or GET .../board). Returns the ordinals that differ, or null when all may.
   * @param {Pick<Api.BoardStates, "epoch" | "version"> & {states: string | Uint8Array<ArrayBuffer>}} board base64, or unpacked
   */
  load({ epoch, version, states }) {
    const fresh = typeof states === "string" ? decode(states) : states;
    /** @type {number[] | null} */
    let changed = null;
    if (fresh.length === this.states.length && this.ready) {
      changed = [];
      for (let i = 0; i < fresh.length; i += 1) if (fresh[i] !== this.states[i]) changed.push(i);
    }
    this.epoch = epoch;
    this.version = version;
    this.states = fresh;
    this.counts = [0, 0, 0, 0];
    for (const state of fresh) this.counts[state] += 1;
    return changed;
  }

  /**
   * Counted changes (`seats` message). Each change of one seat counts one, so `n` changes follow on from `version - n`.
   * Returns the ordinals that changed, or null when there is a gap and the board must be asked for again.
   * @param {Pick<Wire.Seats, "epoch" | "version" | "changes">} news
   * @returns {number[] | null}
   */
  apply({ epoch, version, changes }) {
    if (!this.ready || epoch !== this.epoch) return null;
    if (version <= this.version) return [];
    if (version - changes.length > this.version) return null;
    // The first ones may be known already, from a board that was read while they were on their way.
    const known = changes.length - (version - this.version);
    /** @type {number[]} */
    const touched = [];
    for (let i = known; i < changes.length; i += 1) {
      const [ordinal, state] = changes[i];
      if (ordinal >= this.states.length) return null;
      this.counts[this.states[ordinal]] -= 1;
      this.counts[state] += 1;
      this.states[ordinal] = state;
      touched.push(ordinal);
    }
    this.version = version;
    return touched;
  }
}

/** @param {string} base64 */
function decode(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * A packed `board` message (docs/asyncapi.yaml): two bits a seat, the first seat in the lowest bits.
 * @param {ArrayBuffer} packed
 * @returns {{type: "board", epoch: number, version: number, states: Uint8Array<ArrayBuffer>}}
 */
export function unpackedBoard(packed) {
  const view = new DataView(packed);
  const seats = new Uint8Array(packed, 17);
  const states = new Uint8Array(view.getUint32(13));
  for (let i = 0; i < states.length; i += 1) states[i] = (seats[i >> 2] >> (2 * (i & 3))) & 3;
  return { type: "board", epoch: view.getUint32(1), version: Number(view.getBigUint64(5)), states };
}

// Holds the state, passes actions through the reducer, and tells listeners once for all actions of the same moment.
import { reduce } from "./reducer.js";

/**
 * @param {Sale.State} first
 * @returns {Sale.Store}
 */
export function createStore(first) {
  let state = first;
  /** @type {Set<(state: Sale.State) => void>} */
  const listeners = new Set();
  let queued = false;
  return {
    get state() {
      return state;
    },
    dispatch(action) {
      const before = state;
      state = reduce(state, action);
      if (state === before || queued) return;
      queued = true;
      // Not an animation frame: the tab's title has to follow in the background as well.
      queueMicrotask(() => {
        queued = false;
        for (const listener of listeners) listener(state);
      });
    },
    subscribe(listener) {
      listeners.add(listener);
    },
  };
}

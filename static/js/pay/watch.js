// Whether the buyer has got to the provider's window: the browser leaves this page, or a layer lies over it.

const LOOK_EVERY = 1000; // milliseconds

/** What the page itself was drawn of, before any provider's script. */
const own = new Set(document.body.children);

/** Whether something that was laid over the page since it was drawn is what the buyer sees in its middle. */
export function isCovered() {
  let found = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  while (found?.parentElement && found.parentElement !== document.body) found = found.parentElement;
  return found?.parentElement === document.body && !own.has(found);
}

/**
 * Rejects with what `opening` rejects with, or once this page has lain open to the buyer for `patience` milliseconds: a
 * window that does not open must not leave the button busy for ever. Never resolves: the browser leaves. The time that
 * a layer lies over the page does not count, however long the buyer takes there.
 * @param {Promise<void>} opening
 * @param {number} patience
 * @returns {Promise<never>}
 */
export function untilLeft(opening, patience, covered = isCovered, every = LOOK_EVERY) {
  return new Promise((_, reject) => {
    let since = performance.now();
    const timer = setInterval(() => {
      if (covered()) since = performance.now();
      else if (performance.now() - since >= patience) end(new Error("the window did not open"));
    }, every);
    /** @param {unknown} error */
    function end(error) {
      clearInterval(timer);
      reject(error);
    }
    opening.catch(end);
  });
}

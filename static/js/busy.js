// One thing at a time, and with an end: while it runs a second press does nothing, and whatever becomes of it, an answer,
// a refusal, an exception or nothing at all, the button is free again.
import { NoAnswer } from "./api.js";

const LONGEST = 60000; // milliseconds: longer than any one call may take (api.js)
const LEAVES_WITHIN = 10000; // milliseconds until a browser that was sent elsewhere is not believed to go

/**
 * Until the next page is there nothing can be pressed. Ends when this page is what is seen after all: the browser did not
 * leave, or it came back by its cache of pages.
 */
export function gone(within = LEAVES_WITHIN) {
  return new Promise((resolve) => {
    setTimeout(resolve, within);
    addEventListener("pageshow", resolve, { once: true });
  });
}

export class Busy {
  /**
   * @param {() => void} [changed] `on` is another
   * @param {number} [longest] milliseconds until what has not ended counts as without an answer
   */
  constructor(changed = () => {}, longest = LONGEST) {
    this.on = false;
    this.changed = changed;
    this.longest = longest;
  }

  /**
   * Runs `work` unless something runs; resolves to true when it has ended well, else to false. `failed` is told why, by
   * Refusal, NoAnswer, or what the work threw.
   * @param {() => unknown} work
   * @param {(error: unknown) => unknown} failed
   */
  async run(work, failed) {
    if (this.on) return false;
    this.#turn(true);
    let timer = 0;
    const end = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer("nothing came of it")), this.longest);
    });
    try {
      await Promise.race([work(), end]);
      return true;
    } catch (error) {
      await failed(error);
      return false;
    } finally {
      clearTimeout(timer);
      this.#turn(false);
    }
  }

  /** @param {boolean} on */
  #turn(on) {
    this.on = on;
    this.changed();
  }
}

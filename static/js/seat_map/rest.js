// What can wait does not fall into a frame of a pan or a pinch: it is done when the fingers rest.

const REST = 250; // milliseconds without a movement

export class Rest {
  constructor() {
    this.movedAt = -Infinity;
  }

  /** Fingers have just moved the map. */
  moved() {
    this.movedAt = performance.now();
  }

  /**
   * Does `work` after `wait` milliseconds, or, where the map is being moved then, as soon as it rests; answers what calls
   * it off.
   * @param {() => void} work
   * @param {number} [wait]
   */
  later(work, wait = 0) {
    const look = () => {
      const left = this.movedAt + REST - performance.now();
      if (left > 0) timer = setTimeout(look, left);
      else work();
    };
    let timer = setTimeout(look, wait);
    return () => clearTimeout(timer);
  }
}

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

  /** Milliseconds until they rest, if they move no more; not above 0 when they do. */
  get left() {
    return this.movedAt + REST - performance.now();
  }

  /**
   * Does `work` after `wait` milliseconds, or, where the map is being moved then, as soon as it rests; answers what calls
   * it off.
   * @param {() => void} work
   * @param {number} [wait]
   */
  later(work, wait = 0) {
    let frame = 0;
    const look = () => {
      const { movedAt } = this;
      const sure = () => (this.movedAt === movedAt ? work() : look());
      if (this.left > 0) timer = setTimeout(look, this.left);
      // On a slow phone a picture may take longer than the rest: what fingers did meanwhile is told right before the next one.
      else if (movedAt > -Infinity && !document.hidden) frame = requestAnimationFrame(() => (timer = setTimeout(sure)));
      else work();
    };
    let timer = setTimeout(look, wait);
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }
}

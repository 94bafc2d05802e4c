// A box that an answer fills. By the press that asks for it the box gets the rest of the screen: what is below leaves with
// the press, and not when the answer comes, under the finger of who is about to press it. An answer that is longer grows
// where nobody sees what is below; otherwise it is scrolled in its box.

const LEAST = 320; // pixels: also where the box begins at the end of the screen

export class Room {
  /**
   * @param {HTMLElement} box
   * @param {() => boolean} there whether it has any room: not while it is folded
   */
  constructor(box, there = () => true) {
    this.box = box;
    this.there = there;
    this.kept = 0; // pixels; 0: the box is as high as what is in it
  }

  /** By a press. A box that is not there has no room. */
  keep() {
    if (!this.#seen()) return;
    const { top, height } = this.box.getBoundingClientRect();
    this.#take(Math.max(height, LEAST, innerHeight - top));
  }

  /** As high as it is, whatever comes. */
  hold() {
    if (this.#seen() && this.box.dataset.room !== "full")
      this.#take(Math.max(this.kept, this.box.getBoundingClientRect().height));
  }

  #seen() {
    return this.there() && this.box.checkVisibility();
  }

  /** @param {number} height */
  #take(height) {
    this.kept = height;
    this.box.dataset.room = "";
    this.box.style.minHeight = `${height}px`;
    this.box.style.maxHeight = "";
  }

  /** An answer was drawn. What is read of it stays where it was scrolled to. */
  fill() {
    if (!this.kept) return;
    const { scrollTop } = this.box;
    this.box.style.maxHeight = "";
    const { top, height } = this.box.getBoundingClientRect();
    if (height > this.kept && top + this.kept < innerHeight) {
      this.box.style.maxHeight = `${this.kept}px`;
      this.box.dataset.room = "full";
      this.box.scrollTop = scrollTop;
    } else this.#take(Math.max(height, this.kept));
  }

  /** By a press: as high as what is in it. */
  free() {
    this.kept = 0;
    delete this.box.dataset.room;
    this.box.style.minHeight = "";
    this.box.style.maxHeight = "";
  }
}

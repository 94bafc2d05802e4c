// What is said beside a seat: what it is, or why it cannot be had. It follows the seat.

/** @typedef {"hint" | "refusal"} Kind */
/** @typedef {{ordinal: number, words: () => string[], kind: Kind, until: number}} Said `until`: by performance.now() */

export class Bubble {
  /** @param {() => void} redraw */
  constructor(redraw) {
    this.redraw = redraw;
    /** @type {Said | null} */
    this.said = null;
    this.element = document.createElement("div");
    this.element.className = "map-hint";
    this.element.hidden = true;
  }

  get kind() {
    return this.said?.kind ?? null;
  }

  /**
   * @param {number} ordinal
   * @param {() => string[]} words
   * @param {Kind} kind
   * @param {number} length milliseconds
   */
  say(ordinal, words, kind, length) {
    this.said = { ordinal, words, kind, until: performance.now() + length };
    this.write();
    this.redraw();
    if (Number.isFinite(length)) setTimeout(this.redraw, length + 20);
  }

  /** What is said at a seat follows the seat: free becomes yours while the hint is still there. */
  write() {
    if (!this.said) return;
    this.element.replaceChildren(
      ...this.said.words().map((line) => {
        const row = document.createElement("span");
        row.textContent = line;
        return row;
      }),
    );
    this.element.dataset.kind = this.said.kind;
    this.element.hidden = false;
  }

  end() {
    this.said = null;
    this.element.hidden = true;
  }

  /**
   * @param {number} now
   * @param {import("./viewport.js").Viewport} viewport
   * @param {Sale.Plan} plan
   */
  place(now, viewport, plan) {
    const { said, element } = this;
    if (!said) return;
    if (now > said.until) {
      this.end();
      return;
    }
    const { x, y } = viewport.toScreen(plan.x[said.ordinal], plan.y[said.ordinal]);
    const gap = Math.max(4, plan.r[said.ordinal] * viewport.scale) + 8;
    const half = element.offsetWidth / 2;
    const left = Math.min(viewport.width - half - 8, Math.max(half + 8, x));
    const above = y - gap - element.offsetHeight > 4;
    const top = above ? y - gap - element.offsetHeight : y + gap;
    element.style.transform = `translate(${Math.round(left - half)}px, ${Math.round(top)}px)`;
  }
}

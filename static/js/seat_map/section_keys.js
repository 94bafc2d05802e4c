// The sections for keyboards and screen readers: a button for each, in one Tab stop, with the arrows from one to the
// next in their direction. They lie over the canvas, which draws them; fingers and mice go through to it.

/** @typedef {import("./sections.js").Section} Section */

const TARGET = 44; // CSS pixels

/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class SectionKeys {
  /**
   * `onOpen(zone)`: the section is wanted; `onFocus(section)`: it should be in sight.
   * @param {{label: string, onOpen: (zone: Sale.Zone) => void, onFocus: (section: Section) => void}} parts
   */
  constructor({ label, onOpen, onFocus }) {
    this.onOpen = onOpen;
    this.onFocus = onFocus;
    this.element = document.createElement("ul");
    this.element.className = "map-sections";
    this.element.setAttribute("aria-label", label);
    /** @type {Section[]} */
    this.sections = [];
    /** @type {HTMLButtonElement[]} */
    this.buttons = [];
    this.current = 0;
    this.next = 0; // the section that is said next
    /** @type {Geometry.Point[]} */
    this.places = [];
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** They have been counted. @param {Section[]} sections */
  counted(sections) {
    this.sections = sections;
    this.next = 0;
  }

  get unsaid() {
    return this.next < this.sections.length;
  }

  /**
   * Says them anew, for some milliseconds at a time: to put a hundred into words takes longer than a frame. True when
   * there are more.
   * @param {(section: Section) => string} words
   * @param {number} budget
   */
  name(words, budget) {
    const { sections, buttons } = this;
    const end = performance.now() + budget;
    for (; this.next < sections.length && performance.now() < end; this.next += 1) {
      if (this.next === buttons.length) this.#add();
      const said = words(sections[this.next]);
      const button = buttons[this.next];
      if (button.getAttribute("aria-label") !== said) button.setAttribute("aria-label", said);
    }
    return this.unsaid;
  }

  /** @param {import("./viewport.js").Viewport} viewport */
  place(viewport) {
    this.places = this.sections.map(({ at }) => viewport.toScreen(at.x, at.y));
    this.sections.forEach(({ zone }, i) => {
      const { minX, minY, maxX, maxY } = zone.box;
      const width = Math.max(TARGET, (maxX - minX) * viewport.scale);
      const height = Math.max(TARGET, (maxY - minY) * viewport.scale);
      const { x, y } = viewport.toScreen((minX + maxX) / 2, (minY + maxY) / 2);
      const { style } = this.buttons[i];
      style.width = `${Math.round(width)}px`;
      style.height = `${Math.round(height)}px`;
      style.transform = `translate(${Math.round(x - width / 2)}px, ${Math.round(y - height / 2)}px)`;
    });
  }

  #add() {
    const at = this.buttons.length;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "map-section";
    button.tabIndex = at === this.current ? 0 : -1;
    button.addEventListener("click", () => this.onOpen(this.sections[at].zone));
    button.addEventListener("focus", () => {
      this.#choose(at);
      this.onFocus(this.sections[at]);
    });
    const item = document.createElement("li");
    item.append(button);
    this.element.append(item);
    this.buttons.push(button);
  }

  /** @param {number} at */
  #choose(at) {
    this.buttons[this.current].tabIndex = -1;
    this.current = at;
    this.buttons[at].tabIndex = 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.buttons.length - 1;
    const way = WAYS[event.key];
    let to;
    if (event.key === "Home") to = 0;
    else if (event.key === "End") to = last;
    else if (way) to = this.#beside(way);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (to >= 0) this.buttons[to].focus({ preventScroll: true });
  }

  /**
   * The nearest section in a direction; what lies aside counts as farther. Where there is none, the next or the last
   * one in their order: every section is reached.
   * @param {[number, number]} way
   */
  #beside([dx, dy]) {
    const from = this.places[this.current];
    let [best, least] = [-1, Infinity];
    this.places.forEach((place, i) => {
      const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
      const aside = Math.abs((place.x - from.x) * dy) + Math.abs((place.y - from.y) * dx);
      if (i === this.current || along <= 1 || aside > along * 2) return;
      const far = along + aside * 2;
      if (far < least) [best, least] = [i, far];
    });
    if (best >= 0) return best;
    return (this.current + (dx + dy > 0 ? 1 : this.buttons.length - 1)) % this.buttons.length;
  }
}

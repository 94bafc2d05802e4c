// A small picture of a hall that is not on sale yet, drawn by the seat map's own painter: every seat free.
import { Plan } from "../plan.js";
import { fromSeats } from "../plan_columns.js";
import { contextOf } from "../seat_map/bitmap.js";
import { readTheme, swatch } from "../seat_map/colors.js";
import { Painter } from "../seat_map/painter.js";
import { SeatIndex } from "../seat_map/seat_index.js";

const MARGIN = 8; // CSS pixels
const NOBODYS = { own: new Set(), asked: new Set(), filter: null };

export class PlanPicture {
  /**
   * `recoloured()` is told when the page turned dark or light.
   * @param {Api.Plan} body
   * @param {string} label
   * @param {() => void} recoloured
   */
  constructor(body, label, recoloured) {
    this.plan = new Plan(fromSeats(body));
    this.painter = new Painter(this.plan, new SeatIndex(this.plan), {
      ...NOBODYS,
      board: { states: new Uint8Array(this.plan.size) },
    });
    this.element = document.createElement("canvas");
    this.element.className = "plan-picture";
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.swatches = this.#swatches();
    this.recoloured = () => {
      this.swatches = this.#swatches();
      this.draw();
      recoloured();
    };
    this.dark.addEventListener("change", this.recoloured);
    // Tells of the first size as well, so it is what draws the picture in the beginning.
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.element);
  }

  // The colour of each category, such that it is seen on the page: name -> CSS colour.
  #swatches() {
    return new Map(this.plan.categories.map(({ name, color }) => [name, swatch(color, document.documentElement)]));
  }

  draw() {
    const { element, painter, plan } = this;
    const ratio = devicePixelRatio || 1;
    const width = Math.round(element.clientWidth * ratio);
    const height = Math.round(element.clientHeight * ratio);
    if (!width || !height) return;
    Object.assign(element, { width, height });
    const { minX, minY, maxX, maxY } = plan.box;
    const room = MARGIN * 2 * ratio;
    const k = Math.min((width - room) / Math.max(1, maxX - minX), (height - room) / Math.max(1, maxY - minY));
    painter.setTheme(readTheme(document.body, plan.categories), ratio);
    painter.paint(contextOf(element), plan.box, k, (width - (minX + maxX) * k) / 2, (height - (minY + maxY) * k) / 2);
  }

  gone() {
    this.sizes.disconnect();
    this.dark.removeEventListener("change", this.recoloured);
  }
}

// What fingers and mice mean on the map: a seat is picked, a section opened, a place enlarged; what is under the mouse
// says what it is.
import { pinAt } from "./pins.js";

// CSS pixels of seat radius from which a tap picks, and does not zoom. Seats stand 2.4 of them apart as a rule: a
// finger has the 24 of WCAG 2.5.8, and 44 after a tap that zooms.
const PICKABLE = { touch: 10, mouse: 3.5 };
const COMFORTABLE = { touch: 18.5, mouse: 13 }; // CSS pixels of seat radius that a tap zooms to
const SLACK = { touch: 12, mouse: 3 }; // CSS pixels beside a seat that still count as the seat
const FAR = 30; // CSS pixels beside a section that still count as the section

/** @typedef {"touch" | "mouse"} Pointer */

export class Pointing {
  /**
   * @param {import("./seat_map.js").SeatMap} map
   * @param {(ordinal: number) => void} onPick
   */
  constructor(map, onPick) {
    this.map = map;
    this.onPick = onPick;
  }

  /**
   * For gestures.js.
   * @returns {import("./gestures.js").Meant}
   */
  get meant() {
    const { map } = this;
    return {
      isStill: () => map.still,
      isGoing: () => map.viewport.motion !== null,
      pan: (dx, dy) => {
        map.rest.moved();
        map.viewport.pan(dx, dy);
        map.redraw();
      },
      zoom: (factor, x, y) => {
        map.rest.moved();
        map.viewport.zoom(factor, x, y);
        map.zooming();
      },
      zoomSoftly: (factor, x, y) => map.zoomSoftly(factor, x, y),
      fit: () => map.fit(),
      tap: (x, y, touch) => this.#tap(x, y, touch ? "touch" : "mouse"),
      hover: (x, y) => this.#hover(x, y),
      leave: () => this.#unhover(),
    };
  }

  /**
   * True when it meant something.
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  #tap(x, y, kind) {
    const { map } = this;
    const { viewport } = map;
    const pin = pinAt(map.pins, x, y);
    if (pin) {
      map.showSeat(pin.seats[0]);
      return true;
    }
    if (map.far) {
      const zone = this.#zoneUnder(x, y);
      if (zone) this.#open(zone, x, y, kind);
      return zone !== null;
    }
    const at = viewport.toPlan(x, y);
    const seat = map.scene.index.nearest(at.x, at.y, SLACK[kind] / viewport.scale);
    if (seat < 0) return false;
    if (viewport.seatPixels >= PICKABLE[kind]) {
      if (kind === "touch") map.bubble.say(seat, () => map.words.hint(seat), "hint", 2600);
      this.onPick(seat);
    } else this.#enlarge(x, y, kind);
    return true;
  }

  /**
   * Shows a section whole, or, where its seats would be too small to pick, as much of it around (x, y) as can be used.
   * @param {Sale.Zone} zone
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  #open(zone, x, y, kind) {
    const { viewport } = this.map;
    if (viewport.scaleOf(zone.box) * viewport.seatRadius < PICKABLE[kind]) this.#enlarge(x, y, kind);
    else this.map.showZone(zone);
    this.map.onZoom(zone.index);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {Pointer} kind
   */
  #enlarge(x, y, kind) {
    this.map.zoomSoftly(COMFORTABLE[kind] / this.map.viewport.seatPixels, x, y);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Sale.Zone | null}
   */
  #zoneUnder(x, y) {
    const { plan, scene, viewport } = this.map;
    const at = viewport.toPlan(x, y);
    const near = scene.index.nearest(at.x, at.y, FAR / viewport.scale);
    return near < 0 ? null : (plan.zoneByIndex.get(plan.zoneOf[near]) ?? null);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #hover(x, y) {
    const { map } = this;
    const { viewport, overlay, bubble, canvas } = map;
    if (map.far) {
      this.#unhover();
      canvas.dataset.over = this.#zoneUnder(x, y) ? "seat" : "";
      return;
    }
    const at = viewport.toPlan(x, y);
    const seat = map.scene.index.nearest(at.x, at.y, 2 / viewport.scale);
    if (seat < 0) {
      this.#unhover();
      return;
    }
    canvas.dataset.over = "seat";
    if (seat === overlay.hovered) return;
    overlay.hovered = seat;
    if (bubble.kind !== "refusal") bubble.say(seat, () => map.words.hint(seat), "hint", Infinity);
    map.redraw();
  }

  #unhover() {
    const { map } = this;
    const { overlay, bubble, canvas } = map;
    canvas.dataset.over = "";
    if (overlay.hovered < 0) return;
    overlay.hovered = -1;
    if (bubble.kind === "hint") bubble.end();
    map.redraw();
  }
}

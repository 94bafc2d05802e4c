// Pointer, wheel and keys on the map, told as what was meant: pan, zoom, tap, double tap, hover.

/** @type {Record<string, number>} */
const SLOP = { mouse: 5, pen: 8, touch: 10 }; // CSS pixels before a press is a drag
const DOUBLE = { within: 320, apart: 32 }; // milliseconds, CSS pixels
const FRICTION = 0.0045; // a millisecond: how fast a thrown map slows down

/** @typedef {Geometry.Point & {time: number}} Moment milliseconds */
/** @typedef {Geometry.Point & {start: Geometry.Point, moved: boolean, kind: string}} Press */

/**
 * What was meant; CSS pixels of the element. `tap` answers true when it was used up, `isStill` when motion is unwanted,
 * `isGoing` while the map is on its way somewhere.
 * @typedef {object} Meant
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, x: number, y: number) => void} zoom
 * @property {(factor: number, x: number, y: number) => void} zoomSoftly
 * @property {(x: number, y: number, touch: boolean) => boolean} tap
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {() => void} fit
 * @property {() => boolean} isStill
 * @property {() => boolean} isGoing
 */

/**
 * @param {HTMLElement} element
 * @param {Meant} on
 */
export function listen(element, on) {
  /** @type {Map<number, Geometry.Point>} */
  const pointers = new Map();
  /** @type {Press | null} */
  let press = null;
  /** @type {ReturnType<typeof spread> | null} */
  let pinch = null;
  /** @type {Moment | null} */
  let lastTap = null;
  /** @type {Moment[]} */
  let recent = [];
  let glide = 0;
  let box = new DOMRect(); // where the element was when a finger came down

  // To ask where the element lies makes the browser lay the page out: once a gesture, and not with each move of a finger.
  const measure = () => {
    box = element.getBoundingClientRect();
  };
  /** @param {MouseEvent} event */
  const place = (event) => ({ x: event.clientX - box.left, y: event.clientY - box.top });

  element.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    cancelAnimationFrame(glide);
    // Best effort: a pointer that is gone already cannot be captured.
    try {
      element.setPointerCapture(event.pointerId);
    } catch {
      return;
    }
    if (pointers.size === 0) measure();
    const at = place(event);
    pointers.set(event.pointerId, at);
    if (pointers.size === 1) press = { ...at, start: at, moved: false, kind: event.pointerType };
    else {
      press = null;
      pinch = spread(pointers);
    }
    recent = [];
  });

  element.addEventListener("pointermove", (event) => {
    if (pointers.size === 0) measure();
    const at = place(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") on.hover(at.x, at.y);
      return;
    }
    pointers.set(event.pointerId, at);
    if (pointers.size === 1 && press) {
      if (!press.moved && Math.hypot(at.x - press.start.x, at.y - press.start.y) > (SLOP[press.kind] ?? 8)) {
        press.moved = true;
        element.dataset.dragging = "";
        on.leave();
      }
      if (press.moved) {
        on.pan(at.x - before.x, at.y - before.y);
        recent.push({ ...at, time: event.timeStamp });
        if (recent.length > 6) recent.shift();
      }
    } else if (pointers.size === 2 && pinch) {
      const now = spread(pointers);
      on.pan(now.x - pinch.x, now.y - pinch.y);
      if (pinch.gap > 0) on.zoom(now.gap / pinch.gap, now.x, now.y);
      pinch = now;
    }
  });

  /** @param {PointerEvent} event */
  const up = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    delete element.dataset.dragging;
    if (press && event.type === "pointerup") {
      if (press.moved) throwMap(event);
      else tapped(place(event), press.kind !== "mouse", event.timeStamp);
    }
    press = null;
    pinch = null;
    // One finger of two is still down: it goes on panning.
    if (pointers.size === 1) {
      const [at] = pointers.values();
      press = { ...at, start: at, moved: true, kind: event.pointerType };
    }
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") on.leave();
  });

  /**
   * @param {Geometry.Point} at
   * @param {boolean} touch
   * @param {number} time
   */
  function tapped(at, touch, time) {
    if (on.tap(at.x, at.y, touch)) {
      lastTap = null;
      return;
    }
    if (
      lastTap &&
      time - lastTap.time < DOUBLE.within &&
      Math.hypot(at.x - lastTap.x, at.y - lastTap.y) < DOUBLE.apart
    ) {
      on.zoomSoftly(2.2, at.x, at.y);
      lastTap = null;
    } else {
      lastTap = { ...at, time };
    }
  }

  /** @param {PointerEvent} event */
  function throwMap(event) {
    const first = recent[0];
    if (!first) return;
    const span = event.timeStamp - first.time;
    if (on.isStill() || span < 8 || span > 200) return;
    const at = place(event);
    let vx = (at.x - first.x) / span;
    let vy = (at.y - first.y) / span;
    if (Math.hypot(vx, vy) < 0.15) return;
    let last = performance.now();
    /** @param {number} now */
    const slide = (now) => {
      // Something is to be shown meanwhile, a seat that was found: the throw is over.
      if (on.isGoing()) return;
      const dt = Math.min(40, now - last);
      last = now;
      on.pan(vx * dt, vy * dt);
      const keep = Math.exp(-FRICTION * dt);
      vx *= keep;
      vy *= keep;
      if (Math.hypot(vx, vy) > 0.02) glide = requestAnimationFrame(slide);
    };
    glide = requestAnimationFrame(slide);
  }

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      cancelAnimationFrame(glide);
      measure();
      const at = place(event);
      const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      // A pinch on a trackpad arrives as a wheel with ctrl and small steps.
      const speed = event.ctrlKey ? 0.012 : 0.0016;
      const step = Math.max(-240, Math.min(240, event.deltaY * unit));
      on.zoom(Math.exp(-step * speed), at.x, at.y);
    },
    { passive: false },
  );

  element.addEventListener("keydown", (event) => {
    const [x, y] = [element.clientWidth / 2, element.clientHeight / 2];
    const step = 90;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => on.pan(step, 0),
      ArrowRight: () => on.pan(-step, 0),
      ArrowUp: () => on.pan(0, step),
      ArrowDown: () => on.pan(0, -step),
      "+": () => on.zoomSoftly(1.6, x, y),
      "=": () => on.zoomSoftly(1.6, x, y),
      "-": () => on.zoomSoftly(1 / 1.6, x, y),
      0: () => on.fit(),
    };
    if (event.target !== element || event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
}

/** @param {Map<number, Geometry.Point>} pointers */
function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, gap: Math.hypot(a.x - b.x, a.y - b.y) };
}

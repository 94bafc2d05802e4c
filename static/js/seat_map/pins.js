// The visitor's own seats as pins, while they are too small to be seen, and at the edge of the map while they are
// beyond it (V2).

const SMALL = 9; // CSS pixels of seat radius from which a seat speaks for itself
const TOGETHER = 26; // CSS pixels within which seats share a pin
const HEAD = 11; // CSS pixels: the radius of a pin's head
const EDGE = 22; // CSS pixels between a pin and the map's edge

/** @typedef {Geometry.Point & {seats: number[], away: boolean}} Pin */

/**
 * @param {Sale.Plan} plan
 * @param {Iterable<number>} seats
 * @param {import("./viewport.js").Viewport} viewport
 * @returns {Pin[]}
 */
export function pinsOf(plan, seats, viewport) {
  /** @type {Pin[]} */
  const pins = [];
  const { width, height } = viewport;
  for (const seat of seats) {
    const at = viewport.toScreen(plan.x[seat], plan.y[seat]);
    const away = at.x < 0 || at.y < 0 || at.x > width || at.y > height;
    if (!away && viewport.seatPixels >= SMALL) continue;
    const x = Math.min(width - EDGE, Math.max(EDGE, at.x));
    const y = Math.min(height - EDGE, Math.max(EDGE, at.y));
    const near = pins.find((pin) => pin.away === away && Math.hypot(pin.x - x, pin.y - y) < TOGETHER);
    if (near) near.seats.push(seat);
    else pins.push({ x, y, seats: [seat], away });
  }
  return pins;
}

/**
 * The pin under a finger at (x, y).
 * @param {Pin[]} pins
 * @param {number} x
 * @param {number} y
 */
export function pinAt(pins, x, y) {
  return pins.find((pin) => Math.hypot(pin.x - x, (pin.away ? pin.y : pin.y - HEAD * 1.7) - y) < HEAD * 2) ?? null;
}

/**
 * The context's unit is CSS pixels.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Pin[]} pins
 * @param {import("./colors.js").Theme} theme
 */
export function drawPins(ctx, pins, theme) {
  for (const { x, y, seats, away } of pins) {
    const head = away ? y : y - HEAD * 1.7;
    ctx.fillStyle = theme.accent;
    ctx.strokeStyle = theme.surface;
    ctx.lineWidth = 2;
    ctx.lineJoin = "round";
    ctx.beginPath();
    if (away) ctx.arc(x, head, HEAD, 0, Math.PI * 2);
    else {
      ctx.arc(x, head, HEAD, Math.PI * 0.8, Math.PI * 2.2);
      ctx.lineTo(x, y);
      ctx.closePath();
    }
    ctx.stroke();
    ctx.fill();
    if (seats.length > 1) {
      ctx.fillStyle = theme["on-accent"];
      ctx.font = `700 12px ${theme.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(String(seats.length), x, head + 0.5);
      continue;
    }
    ctx.strokeStyle = theme["on-accent"];
    ctx.beginPath();
    ctx.moveTo(x - 4, head + 0.5);
    ctx.lineTo(x - 1, head + 3.5);
    ctx.lineTo(x + 4.5, head - 3);
    ctx.stroke();
  }
}

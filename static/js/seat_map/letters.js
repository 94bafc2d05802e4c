// Words on the map. A browser prepares the letters of each size that it has not had, which takes longer than a frame has; and
// a zoom is a new size each time. So one size is prepared, and drawn larger or smaller.

const PREPARED = 32; // pixels

/**
 * One line around (x, y) in the context's fill style.
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {number} x device pixels
 * @param {number} y
 * @param {number} size device pixels
 * @param {number} weight
 * @param {import("./colors.js").Theme} theme
 */
export function write(ctx, text, x, y, size, weight, theme) {
  ctx.save();
  ctx.translate(x, y);
  ctx.scale(size / PREPARED, size / PREPARED);
  ctx.font = `${weight} ${PREPARED}px ${theme.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(text, 0, 0);
  ctx.restore();
}

// How a seat looks in each state. The shape alone tells them apart; colour only adds the category.
//   free: full disc (wheelchair places: full square)     own: disc with a check mark and a ring around it
//   asked: dashed ring (a request is under way)          held: half disc in a ring
//   sold: small cross                                    blocked: small dash

import { AVAILABLE, HELD, SOLD } from "../board.js";
import { write } from "./letters.js";

// A look is the board's state, or one of these two, which only this page knows.
export const OWN = 4;
export const ASKED = 5;

/** Below this radius, in device pixels, shapes cannot be told from each other: size tells instead. */
export const SMALLEST_SHAPE = 2.6;

const WEIGHT = 620; // of numbers and letters

/** Radius in device pixels from which a wheelchair place has its sign. */
export const WHEELCHAIR = 9;

/** @typedef {import("./colors.js").Theme} Theme */
/** @typedef {import("./colors.js").Fill} Fill */

/**
 * Draws one seat centred at (x, y), `r` device pixels in radius.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} look
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {Fill} fill the category's
 * @param {Theme} theme
 * @param {boolean} accessible
 */
export function drawSeat(ctx, look, x, y, r, fill, theme, accessible) {
  const line = Math.max(1, r * 0.16);
  ctx.lineCap = "round";
  ctx.lineWidth = line;
  if (look === AVAILABLE) {
    ctx.fillStyle = fill.fill;
    ctx.beginPath();
    if (accessible) ctx.roundRect(x - r * 0.92, y - r * 0.92, r * 1.84, r * 1.84, r * 0.36);
    else ctx.arc(x, y, r * 0.96, 0, TURN);
    ctx.fill();
    if (accessible && r >= WHEELCHAIR) wheelchair(ctx, x, y, r, fill.text);
  } else if (look === OWN) {
    ctx.fillStyle = theme.accent;
    ctx.beginPath();
    ctx.arc(x, y, r * 0.82, 0, TURN);
    ctx.fill();
    ctx.strokeStyle = theme.accent;
    ctx.lineWidth = Math.max(1, r * 0.14);
    ctx.beginPath();
    ctx.arc(x, y, r * 1.08, 0, TURN);
    ctx.stroke();
    ctx.strokeStyle = theme["on-accent"];
    ctx.lineWidth = Math.max(1, r * 0.22);
    ctx.lineJoin = "round";
    ctx.beginPath();
    ctx.moveTo(x - r * 0.36, y + r * 0.02);
    ctx.lineTo(x - r * 0.08, y + r * 0.3);
    ctx.lineTo(x + r * 0.4, y - r * 0.28);
    ctx.stroke();
  } else if (look === ASKED) {
    ctx.strokeStyle = theme.accent;
    ctx.lineWidth = Math.max(1.2, r * 0.2);
    ctx.setLineDash([r * 0.55, r * 0.42]);
    ctx.beginPath();
    ctx.arc(x, y, r * 0.82, 0, TURN);
    ctx.stroke();
    ctx.setLineDash([]);
  } else if (look === HELD) {
    ctx.strokeStyle = theme["ink-3"];
    ctx.fillStyle = theme["ink-3"];
    ctx.beginPath();
    ctx.arc(x, y, r * 0.8, 0, TURN);
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(x, y, r * 0.8, Math.PI * 0.5, Math.PI * 1.5);
    ctx.fill();
  } else if (look === SOLD) {
    const arm = r * 0.42;
    ctx.strokeStyle = theme["line-strong"];
    ctx.globalAlpha *= 0.75;
    ctx.beginPath();
    ctx.moveTo(x - arm, y - arm);
    ctx.lineTo(x + arm, y + arm);
    ctx.moveTo(x + arm, y - arm);
    ctx.lineTo(x - arm, y + arm);
    ctx.stroke();
  } else {
    ctx.strokeStyle = theme["line-strong"];
    ctx.globalAlpha *= 0.75;
    ctx.beginPath();
    ctx.moveTo(x - r * 0.42, y);
    ctx.lineTo(x + r * 0.42, y);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

/**
 * Radius of the square that stands for a seat when shapes are too small, as a part of the seat's radius; and its paint.
 * @param {number} look
 * @param {Fill} fill
 * @param {Theme} theme
 */
export function smallSeat(look, fill, theme) {
  if (look === AVAILABLE) return { part: 0.92, paint: fill.fill, alpha: 1 };
  if (look === OWN || look === ASKED) return { part: 1.25, paint: theme.accent, alpha: 1 };
  if (look === HELD) return { part: 0.62, paint: theme["ink-3"], alpha: 0.8 };
  return { part: 0.34, paint: theme["line-strong"], alpha: 0.6 };
}

/**
 * The seat's number in the disc of a free seat, and above it the letter of its category, if it has one.
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {string} mark
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {Fill} fill
 * @param {Theme} theme
 */
export function drawNumber(ctx, text, mark, x, y, r, fill, theme) {
  ctx.fillStyle = fill.text;
  const size = r * (text.length > 2 ? 0.74 : mark ? 0.82 : 0.94);
  write(ctx, text, x, y + (mark ? r * 0.22 : size * 0.05), size, WEIGHT, theme);
  if (mark) write(ctx, mark, x, y - r * 0.5, r * 0.56, WEIGHT, theme);
}

/**
 * The letter of its category, where there is no room for more.
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} mark
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {Fill} fill
 * @param {Theme} theme
 */
export function drawMark(ctx, mark, x, y, r, fill, theme) {
  ctx.fillStyle = fill.text;
  write(ctx, mark, x, y + r * 0.06, r * 1.2, WEIGHT, theme);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {string} color
 */
function wheelchair(ctx, x, y, r, color) {
  const u = r / 12;
  ctx.strokeStyle = color;
  ctx.fillStyle = color;
  ctx.lineWidth = 1.7 * u;
  ctx.lineJoin = "round";
  ctx.beginPath();
  ctx.arc(x - 1 * u, y - 6 * u, 1.7 * u, 0, TURN);
  ctx.fill();
  ctx.beginPath();
  ctx.moveTo(x - 1 * u, y - 3.4 * u);
  ctx.lineTo(x - 1 * u, y + 1 * u);
  ctx.lineTo(x + 3.4 * u, y + 1 * u);
  ctx.lineTo(x + 5 * u, y + 5.4 * u);
  ctx.moveTo(x - 1 * u, y - 1.2 * u);
  ctx.lineTo(x + 2.8 * u, y - 1.2 * u);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x - 1.2 * u, y + 2.6 * u, 4 * u, Math.PI * 0.12, Math.PI * 1.36);
  ctx.stroke();
}

const TURN = Math.PI * 2;

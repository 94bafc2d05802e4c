// What moves above the tiles: rings where a seat just changed, the seat under the mouse.
const PULSE = 900; // milliseconds that a changed seat is ringed

/** @typedef {import("./viewport.js").Viewport} Viewport */
/** @typedef {import("./colors.js").Theme} Theme */
/** @typedef {"free" | "gone" | "bad"} PulseKind */
export class Overlay {
  /** @param {Sale.Plan} plan */
  constructor(plan) {
    this.plan = plan;
    /** @type {Map<number, {start: number, kind: PulseKind}>} */
    this.pulses = new Map();
    this.hovered = -1;
  }

  /**
   * @param {number} ordinal
   * @param {PulseKind} kind
   * @param {number} now milliseconds
   */
  pulse(ordinal, kind, now) {
    // A crowd's worth of rings is noise; the tiles show the change all the same.
    if (this.pulses.size < 250) this.pulses.set(ordinal, { start: now, kind });
  }

  get moving() {
    return this.pulses.size > 0;
  }

  /**
   * The context's unit is CSS pixels.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {Theme} theme
   * @param {number} now
   * @param {boolean} still
   */
  draw(ctx, viewport, theme, now, still) {
    this.#rings(ctx, viewport, theme, now, still);
    if (this.hovered >= 0) this.#ring(ctx, viewport, this.hovered, 1.28, theme.ink, 2, 1);
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {Theme} theme
   * @param {number} now
   * @param {boolean} still
   */
  #rings(ctx, viewport, theme, now, still) {
    for (const [ordinal, { start, kind }] of this.pulses) {
      const t = (now - start) / PULSE;
      if (t >= 1) {
        this.pulses.delete(ordinal);
        continue;
      }
      const color = kind === "free" ? theme.accent : kind === "bad" ? theme.bad : theme["ink-2"];
      const size = still ? 1.35 : 1.1 + (1 - (1 - t) ** 3) * 1.3;
      this.#ring(ctx, viewport, ordinal, size, color, 2, 1 - t);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {number} ordinal
   * @param {number} size of the seat's radius
   * @param {string} color
   * @param {number} width
   * @param {number} alpha
   */
  #ring(ctx, viewport, ordinal, size, color, width, alpha) {
    const { x, y } = viewport.toScreen(this.plan.x[ordinal], this.plan.y[ordinal]);
    const r = Math.max(3, this.plan.r[ordinal] * viewport.scale) * size;
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = color;
    ctx.lineWidth = width;
    ctx.beginPath();
    ctx.arc(x, y, r, 0, Math.PI * 2);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
}

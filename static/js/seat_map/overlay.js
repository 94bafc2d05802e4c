// What moves above the tiles: the zones' names from far away, rings where a seat just changed, the seat under the mouse.
import { AVAILABLE } from "../board.js";

const PULSE = 900; // milliseconds that a changed seat is ringed
const NAMED_BELOW = 5.5; // CSS pixels of seat radius: from farther away zones are named instead of seats

/** @typedef {import("./viewport.js").Viewport} Viewport */
/** @typedef {import("./colors.js").Theme} Theme */
/** @typedef {"free" | "gone" | "bad"} PulseKind */
/** @typedef {(zone: Sale.Zone, free: number) => {name: string, free: string}} Words */
/** @typedef {{zone: Sale.Zone, lines: string[], more: string | null, size: number}} Text */
/** @typedef {Geometry.Point & {width: number, height: number} & Text} Label */

export class Overlay {
  /** @param {Sale.Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.widest = Math.max(...plan.zones.map(({ box }) => box.maxX - box.minX));
    /** @type {Map<number, {start: number, kind: PulseKind}>} */
    this.pulses = new Map();
    this.hovered = -1;
    /** @type {Label[]} */
    this.labels = []; // the names of areas as they were drawn last
    this.free = new Int32Array(Math.max(1, ...plan.zones.map((zone) => zone.index + 1)));
  }

  /**
   * Counts the free seats of each zone again.
   * @param {Uint8Array} states
   * @param {ReadonlySet<number> | null} filter
   */
  count(states, filter) {
    this.free.fill(0);
    for (let i = 0; i < states.length; i += 1) {
      if (states[i] === AVAILABLE && (filter === null || filter.has(this.plan.category[i])))
        this.free[this.plan.zoneOf[i]] += 1;
    }
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

  /** @param {Viewport} viewport */
  namesZones(viewport) {
    if (this.plan.zones.length < 2 || viewport.seatPixels >= NAMED_BELOW) return false;
    // An area that fills the screen needs no name on top of its seats.
    return this.widest * viewport.scale < viewport.width * 0.7 || viewport.fitted;
  }

  /**
   * The area that a tap at (x, y), CSS pixels, means: by its name there; null when no name is.
   * @param {number} x
   * @param {number} y
   */
  zoneAt(x, y) {
    const label = this.labels.find(
      (one) => Math.abs(x - one.x) <= one.width / 2 && Math.abs(y - one.y) <= one.height / 2,
    );
    return label?.zone ?? null;
  }

  /**
   * The context's unit is CSS pixels.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {Theme} theme
   * @param {number} now
   * @param {boolean} still
   * @param {Words} words
   */
  draw(ctx, viewport, theme, now, still, words) {
    this.#rings(ctx, viewport, theme, now, still);
    if (this.hovered >= 0) this.#ring(ctx, viewport, this.hovered, 1.28, theme.ink, 2, 1);
    this.labels = [];
    if (this.namesZones(viewport)) this.#names(ctx, viewport, theme, words);
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

  /**
   * The biggest areas are named first; a name that would lie on another one is left out.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {Theme} theme
   * @param {Words} words
   */
  #names(ctx, viewport, theme, words) {
    const placed = this.labels;
    const zones = [...this.plan.zones].sort((a, b) => b.count - a.count);
    for (const zone of zones) {
      const label = this.#measure(ctx, viewport, theme, zone, words(zone, this.free[zone.index]));
      if (label === null || placed.some((other) => overlap(label, other) > 0.12)) continue;
      placed.push(label);
      this.#label(ctx, theme, label);
    }
  }

  /**
   * Null where there is no room.
   * @param {CanvasRenderingContext2D} ctx
   * @param {Viewport} viewport
   * @param {Theme} theme
   * @param {Sale.Zone} zone
   * @param {{name: string, free: string}} words
   * @returns {Label | null}
   */
  #measure(ctx, viewport, theme, zone, { name, free }) {
    const { minX, minY, maxX, maxY } = zone.box;
    const room = (maxX - minX) * viewport.scale;
    if (room < 22) return null;
    const size = room > 120 ? 14 : 11;
    /**
     * @param {string} text
     * @param {number} weight
     * @param {number} px
     */
    const width = (text, weight, px) => {
      ctx.font = `${weight} ${px}px ${theme.font}`;
      return ctx.measureText(text).width;
    };
    let lines = [name];
    if (width(name, 600, size) > room * 0.9 && name.includes(" ")) lines = halves(name);
    const more = room > 90 ? free : null;
    const widest = Math.max(...lines.map((line) => width(line, 600, size)), more ? width(more, 450, size - 2) : 0);
    const height = lines.length * size * 1.2 + (more ? size * 1.15 : 0) + 12;
    const { x, y } = viewport.toScreen((minX + maxX) / 2, (minY + maxY) / 2);
    return { zone, x, y, width: widest + 20, height, lines, more, size };
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Theme} theme
   * @param {Label} label
   */
  #label(ctx, theme, { x, y, width, height, lines, more, size }) {
    ctx.globalAlpha = 0.93;
    ctx.fillStyle = theme.surface;
    ctx.beginPath();
    ctx.roundRect(x - width / 2, y - height / 2, width, height, 11);
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.strokeStyle = theme.line;
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = theme.ink;
    ctx.font = `600 ${size}px ${theme.font}`;
    let top = y - height / 2 + 6 + size * 0.62;
    for (const line of lines) {
      ctx.fillText(line, x, top);
      top += size * 1.2;
    }
    if (more) {
      ctx.fillStyle = theme["ink-2"];
      ctx.font = `450 ${size - 2}px ${theme.font}`;
      ctx.fillText(more, x, top - size * 0.03);
    }
  }
}

/**
 * A name in two lines of about the same length.
 * @param {string} name
 */
function halves(name) {
  const words = name.split(" ");
  let best = 1;
  for (let i = 1; i < words.length; i += 1) {
    /** @param {number} at */
    const uneven = (at) => Math.abs(words.slice(0, at).join(" ").length - words.slice(at).join(" ").length);
    if (uneven(i) < uneven(best)) best = i;
  }
  return [words.slice(0, best).join(" "), words.slice(best).join(" ")];
}

/**
 * The part of the smaller label that lies under the other.
 * @param {Label} a
 * @param {Label} b
 */
function overlap(a, b) {
  const width = Math.min(a.x + a.width / 2, b.x + b.width / 2) - Math.max(a.x - a.width / 2, b.x - b.width / 2);
  const height = Math.min(a.y + a.height / 2, b.y + b.height / 2) - Math.max(a.y - a.height / 2, b.y - b.height / 2);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / Math.min(a.width * a.height, b.width * b.height);
}

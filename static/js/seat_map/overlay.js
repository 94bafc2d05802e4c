// What moves above the tiles: the zones' names from far away, rings where a seat just changed, the seat under the mouse.

const PULSE = 900; // milliseconds that a changed seat is ringed
const NAMED_BELOW = 5.5; // CSS pixels of seat radius: from farther away zones are named instead of seats

export class Overlay {
  constructor(plan) {
    this.plan = plan;
    this.pulses = new Map(); // ordinal -> {start, kind}
    this.hovered = -1;
    this.free = new Int32Array(Math.max(1, ...plan.zones.map((zone) => zone.index + 1)));
  }

  /** Counts the free seats of each zone again. */
  count(states, filter) {
    this.free.fill(0);
    for (let i = 0; i < states.length; i += 1) {
      if (states[i] === 0 && (filter === null || filter.has(this.plan.category[i]))) this.free[this.plan.zoneOf[i]] += 1;
    }
  }

  pulse(ordinal, kind, now) {
    // A crowd's worth of rings is noise; the tiles show the change all the same.
    if (this.pulses.size < 250) this.pulses.set(ordinal, { start: now, kind });
  }

  get moving() {
    return this.pulses.size > 0;
  }

  namesZones(viewport) {
    return this.plan.zones.length > 1 && viewport.seatPixels < NAMED_BELOW;
  }

  /** `words(zone, free)` -> {name, free}; the context's unit is CSS pixels. */
  draw(ctx, viewport, theme, now, still, words) {
    this.#rings(ctx, viewport, theme, now, still);
    if (this.hovered >= 0) this.#ring(ctx, viewport, this.hovered, 1.28, theme.ink, 2, 1);
    if (this.namesZones(viewport)) for (const zone of this.plan.zones) this.#name(ctx, viewport, theme, zone, words(zone, this.free[zone.index]));
  }

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

  #name(ctx, viewport, theme, zone, { name, free }) {
    const { minX, minY, maxX, maxY } = zone.box;
    const room = (maxX - minX) * viewport.scale;
    const { x, y } = viewport.toScreen((minX + maxX) / 2, (minY + maxY) / 2);
    if (room < 26) return;
    const big = room > 120;
    const size = big ? 14 : 12;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.font = `600 ${size}px ${theme.font}`;
    const nameWidth = ctx.measureText(name).width;
    ctx.font = `450 ${size - 2}px ${theme.font}`;
    const freeWidth = big ? ctx.measureText(free).width : 0;
    const width = Math.max(nameWidth, freeWidth) + 22;
    const height = big ? 42 : 24;
    ctx.globalAlpha = 0.92;
    ctx.fillStyle = theme.surface;
    ctx.beginPath();
    ctx.roundRect(x - width / 2, y - height / 2, width, height, height / 2.6);
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.strokeStyle = theme.line;
    ctx.lineWidth = 1;
    ctx.stroke();
    ctx.fillStyle = theme.ink;
    ctx.font = `600 ${size}px ${theme.font}`;
    ctx.fillText(name, x, big ? y - 8 : y + 0.5);
    if (big) {
      ctx.fillStyle = theme["ink-2"];
      ctx.font = `450 ${size - 2}px ${theme.font}`;
      ctx.fillText(free, x, y + 10);
    }
  }
}

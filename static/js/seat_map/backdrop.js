// What stands in the hall besides seats: stage, walls, bars, texts, the rows' names.

/**
 * Draws into a context whose unit is device pixels; `k` device pixels a plan unit, (ox, oy) the plan's origin there.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Sale.Plan} plan
 * @param {import("./colors.js").Theme} theme
 * @param {number} k
 * @param {number} ox
 * @param {number} oy
 */
export function drawBackdrop(ctx, plan, theme, k, ox, oy) {
  for (const area of plan.areas) drawArea(ctx, area, theme, k, ox, oy, plan.onItsSide);
  const size = 9 * k;
  // A row's name smaller than this is dust.
  if (size >= 7) {
    ctx.font = `500 ${Math.min(size, 26).toFixed(1)}px ${theme.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = theme["ink-3"];
    for (const { text, x, y } of plan.rowLabels) {
      const px = x * k + ox;
      const py = y * k + oy;
      if (px > -50 && py > -50 && px < ctx.canvas.width + 50 && py < ctx.canvas.height + 50) ctx.fillText(text, px, py);
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../plan.js").Area} area
 * @param {import("./colors.js").Theme} theme
 * @param {number} k
 * @param {number} ox
 * @param {number} oy
 * @param {boolean} onItsSide the hall is turned; words stand upright all the same
 */
function drawArea(ctx, area, theme, k, ox, oy, onItsSide) {
  const { geometry: g } = area;
  ctx.save();
  ctx.translate(area.x * k + ox, area.y * k + oy);
  ctx.rotate((area.rotation * Math.PI) / 180);
  ctx.beginPath();
  if (area.shape === "rectangle") ctx.roundRect(0, 0, (g.width ?? 0) * k, (g.height ?? 0) * k, Math.min(6 * k, 10));
  else if (area.shape === "circle") ctx.arc(0, 0, (g.radius ?? 0) * k, 0, Math.PI * 2);
  else if (area.shape === "ellipse") ctx.ellipse(0, 0, (g.rx ?? 0) * k, (g.ry ?? 0) * k, 0, 0, Math.PI * 2);
  else if (area.shape === "polygon") {
    (g.points ?? []).forEach(([x, y], i) => (i ? ctx.lineTo(x * k, y * k) : ctx.moveTo(x * k, y * k)));
    ctx.closePath();
  }
  if (area.shape !== "text") {
    // Organisers draw for white paper: their colour is kept as a hint, the page's own tones carry it into the dark.
    ctx.fillStyle = theme.line;
    ctx.fill();
    if (area.color && !theme.dark) {
      ctx.globalAlpha = 0.35;
      ctx.fillStyle = area.color;
      ctx.fill();
      ctx.globalAlpha = 1;
    }
    ctx.strokeStyle = theme["line-strong"];
    ctx.globalAlpha = 0.5;
    ctx.lineWidth = Math.max(1, k * 0.8);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  if (area.text) {
    const size = Math.max(0, area.text_size * k);
    if (size >= 5) {
      ctx.font = `600 ${size.toFixed(1)}px ${theme.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = theme["ink-2"];
      ctx.translate((area.text_x - area.x) * k, (area.text_y - area.y) * k);
      if (onItsSide) ctx.rotate(Math.PI / 2);
      ctx.fillText(area.text, 0, 0);
    }
  }
  ctx.restore();
}

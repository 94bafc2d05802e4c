// Sections' outlines (outlines.js) as what a canvas draws.

/** @typedef {{zone: Sale.Zone, path: Path2D, solid: boolean, girth: number, at: Geometry.Point}} Shape `solid`: it is filled as well; `girth`: the stroke's breadth; `at`: a place in its middle; plan units */

/**
 * One for each of the plan's zones, in their order.
 * @param {Sale.Plan} plan
 * @returns {Shape[]}
 */
export function shapesOf(plan) {
  const { girths, middles, solid } = plan.measures.outlines;
  return plan.zones.map((zone) => {
    const { index } = zone;
    const [x, y] = [middles[2 * index], middles[2 * index + 1]];
    const at = plan.onItsSide ? { x: y, y: -x } : { x, y };
    return { zone, path: pathOf(plan, index), solid: solid[index] === 1, girth: girths[index], at };
  });
}

/**
 * @param {Sale.Plan} plan
 * @param {number} zone
 */
function pathOf({ measures: { outlines }, onItsSide }, zone) {
  const { zones, strokes, corners } = outlines;
  const path = new Path2D();
  for (let stroke = zones[zone]; stroke < zones[zone + 1]; stroke += 1) {
    for (let i = strokes[stroke]; i < strokes[stroke + 1]; i += 1) {
      const [x, y] = onItsSide ? [corners[2 * i + 1], -corners[2 * i]] : [corners[2 * i], corners[2 * i + 1]];
      if (i === strokes[stroke]) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
  }
  if (outlines.solid[zone]) path.closePath();
  return path;
}

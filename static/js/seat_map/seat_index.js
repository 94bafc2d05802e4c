// Which seats are here? A KD-tree over the seats' centres (kdbush); the plan never moves, so it is built once.
import KDBush from "../../vendor/kdbush/index.js";

/**
 * The tree as one buffer, which a worker can make and hand over.
 * @param {{size: number, x: Float32Array, y: Float32Array}} plan
 * @returns {ArrayBuffer}
 */
export function treeOf(plan) {
  const tree = new KDBush(plan.size, 64, Float32Array);
  for (let i = 0; i < plan.size; i += 1) tree.add(plan.x[i], plan.y[i]);
  tree.finish();
  return /** @type {ArrayBuffer} */ (tree.data);
}

export class SeatIndex {
  /** @param {Sale.Plan} plan whose `tree`, if it has one, is of the hall as it is not turned */
  constructor(plan) {
    this.plan = plan;
    this.onItsSide = plan.tree !== null && plan.onItsSide;
    this.tree = KDBush.from(plan.tree ?? treeOf(plan));
    this.largest = plan.measures.largestRadius;
  }

  /**
   * Seats of which some part lies in the box.
   * @param {Geometry.Box} box
   */
  inBox({ minX, minY, maxX, maxY }) {
    const r = this.largest;
    return this.onItsSide
      ? this.tree.range(-maxY - r, minX - r, -minY + r, maxX + r)
      : this.tree.range(minX - r, minY - r, maxX + r, maxY + r);
  }

  /**
   * The seat whose edge is nearest to (x, y) and not farther away than `slack`; -1 when there is none.
   * @param {number} x
   * @param {number} y
   * @param {number} slack
   */
  nearest(x, y, slack) {
    const { plan } = this;
    let best = -1;
    let bestGap = slack;
    const reach = this.largest + slack;
    const near = this.onItsSide ? this.tree.within(-y, x, reach) : this.tree.within(x, y, reach);
    for (const i of near) {
      const gap = Math.hypot(plan.x[i] - x, plan.y[i] - y) - plan.r[i];
      if (gap <= bestGap) {
        bestGap = gap;
        best = i;
      }
    }
    return best;
  }
}

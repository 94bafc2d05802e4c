// Which seats are here? A KD-tree over the seats' centres (kdbush); the plan never moves, so it is built once.
import KDBush from "../../vendor/kdbush/index.js";

export class SeatIndex {
  /** @param {Sale.Plan} plan */
  constructor(plan) {
    this.plan = plan;
    this.tree = new KDBush(plan.size, 64, Float32Array);
    this.largest = 0;
    for (let i = 0; i < plan.size; i += 1) {
      this.tree.add(plan.x[i], plan.y[i]);
      this.largest = Math.max(this.largest, plan.r[i]);
    }
    this.tree.finish();
  }

  /**
   * Seats of which some part lies in the box.
   * @param {Geometry.Box} box
   */
  inBox({ minX, minY, maxX, maxY }) {
    const r = this.largest;
    return this.tree.range(minX - r, minY - r, maxX + r, maxY + r);
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
    for (const i of this.tree.within(x, y, this.largest + slack)) {
      const gap = Math.hypot(plan.x[i] - x, plan.y[i] - y) - plan.r[i];
      if (gap <= bestGap) {
        bestGap = gap;
        best = i;
      }
    }
    return best;
  }
}

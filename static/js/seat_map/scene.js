// One plan as it is looked at: all that is made of its places, and made anew when the hall is turned.
import { Minimap } from "./minimap.js";
import { Overlay } from "./overlay.js";
import { Painter } from "./painter.js";
import { SeatIndex } from "./seat_index.js";
import { SectionLabels } from "./section_labels.js";
import { Sections } from "./sections.js";
import { Tiles } from "./tiles.js";
import { Viewport } from "./viewport.js";

const WORTH_TURNING = 1.25; // how much larger a hall must be drawn for being seen from its side

/**
 * @param {Sale.Plan} plan
 * @param {import("./painter.js").Looks} looks
 * @param {(x: number, y: number) => void} onMinimap
 */
export function sceneOf(plan, looks, onMinimap) {
  const index = new SeatIndex(plan);
  const sections = new Sections(plan);
  const painter = new Painter(plan, index, looks, sections);
  const box = sections.bounds();
  return {
    plan,
    index,
    sections,
    painter,
    labels: new SectionLabels(plan, sections, index),
    tiles: new Tiles(painter, box),
    overlay: new Overlay(plan),
    viewport: new Viewport(box, sections.radius),
    minimap: new Minimap(plan, innerWidth < 640 ? 92 : 132, onMinimap),
  };
}

/**
 * Whether a hall of this box is drawn so much larger on its side that it is worth it.
 * @param {Geometry.Box} box
 * @param {number} width CSS pixels
 * @param {number} height
 */
export function fitsTurned({ minX, minY, maxX, maxY }, width, height) {
  const [across, down] = [Math.max(1, maxX - minX), Math.max(1, maxY - minY)];
  const upright = Math.min(width / across, height / down);
  return Math.min(width / down, height / across) > upright * WORTH_TURNING;
}

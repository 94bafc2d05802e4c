// One picture of the map: tiles, names, pins, what moves above them. What takes long is done a few milliseconds' worth a
// picture, so that a finger is never waited for.
import { drawPins, pinsOf } from "./pins.js";

// Milliseconds of a frame for drawing what changed and what is missing, both together. While nothing moves no more than a
// slow phone, which takes four times as long, can do without keeping a finger waiting.
const BUDGET = { moving: 6, still: 10 };
const PATCH_BUDGET = 4; // milliseconds of those for seats and sections that changed
const NAME_BUDGET = 8; // milliseconds of a frame for sections' names, once nothing moves
const MINIMAP_EVERY = 80; // milliseconds between two drawings of the small map while the large one moves
const SETTLED = 130; // milliseconds without zooming until tiles of the new scale are drawn

/**
 * Draws the map as it is `now` (milliseconds); true when another picture has to follow.
 * @param {import("./seat_map.js").SeatMap} map
 * @param {import("./colors.js").Theme} theme
 * @param {number} now
 */
export function drawFrame(map, theme, now) {
  const { ctx, canvas, ratio } = map;
  const began = performance.now();
  const { plan, viewport, tiles, labels, minimap } = map.scene;
  const moving = viewport.step(now);
  if (moving) map.zoomedAt = now;
  // Once for all that made them so since the last picture.
  if (map.stale) {
    tiles.reset();
    map.recounted.clear();
    map.stale = false;
  }
  const more = patch(map);
  const k = viewport.scale * ratio;
  const settled = !moving && now - map.zoomedAt > SETTLED;
  // In the middle of a zoom nothing is drawn: a tile takes longer than a frame has, and is gone with the next one.
  if (settled || tiles.scale === 0) tiles.setScale(k);
  // Whole device pixels while nothing zooms: tiles are copied, not resampled.
  const x = settled ? Math.round(viewport.x * ratio) : viewport.x * ratio;
  const y = settled ? Math.round(viewport.y * ratio) : viewport.y * ratio;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  const still = isSame(map.looked, viewport);
  map.looked = { x: viewport.x, y: viewport.y, scale: viewport.scale };
  const budget = (still ? BUDGET.still : BUDGET.moving) - (performance.now() - began);
  const missing = tiles.draw(ctx, k, x, y, canvas.width, canvas.height, budget);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const idle = still && settled && !missing;
  const unsaid = map.far && (!idle || labels.lay(ctx, viewport.scale, ratio, theme, map.words.section, NAME_BUDGET));
  if (map.far) labels.draw(ctx, viewport, ratio);
  map.overlay.draw(ctx, viewport, theme, now, map.still);
  map.pins = pinsOf(plan, map.looks.own, viewport);
  drawPins(ctx, map.pins, theme);
  map.bubble.place(now, viewport, plan);
  const close = viewport.scale > viewport.fitScale * 1.3;
  if (minimap.element.hidden === close) minimap.element.hidden = !close;
  const fits = viewport.fitted && !moving;
  if (map.fitButton.disabled !== fits) map.fitButton.disabled = fits;
  // While nothing moves it is made ready, so that no frame of a pinch has to; and it may lag behind fingers.
  const lags = !still && now - minimap.drawnAt < MINIMAP_EVERY;
  if ((close || settled) && tiles.overview && !lags) minimap.draw(tiles.overview, viewport, theme, ratio, now);
  if (map.element.hasAttribute("data-far") !== map.far) map.element.toggleAttribute("data-far", map.far);
  if (idle && !unsaid) {
    placeKeys(map);
    map.reserve();
  }
  return moving || more || map.overlay.moving || missing || unsaid || !settled || !still;
}

/**
 * @param {Geometry.View} one
 * @param {Geometry.View} other
 */
const isSame = (one, other) => one.x === other.x && one.y === other.y && one.scale === other.scale;

/**
 * The sections' buttons are named and put to their places: a hundred of them are not moved along with a finger.
 * @param {import("./seat_map.js").SeatMap} map
 */
function placeKeys(map) {
  if (!map.scene.sections.several) return;
  if (map.keys.unsaid) map.speak();
  else if (!isSame(map.placed, map.looked)) {
    map.placed = map.looked;
    map.keys.place(map.viewport);
  }
}

/**
 * Draws seats and sections that changed; true when there are more of them.
 * @param {import("./seat_map.js").SeatMap} map
 */
function patch({ waiting, recounted, tiles }) {
  const end = performance.now() + PATCH_BUDGET;
  // There are few of them, and they come a few times a second at most: seats get their turn.
  for (const box of recounted) {
    tiles.patchSection(box);
    recounted.delete(box);
    if (performance.now() > end) return true;
  }
  for (const ordinal of waiting) {
    tiles.patch([ordinal]);
    waiting.delete(ordinal);
    if (performance.now() > end) break;
  }
  return waiting.size > 0;
}

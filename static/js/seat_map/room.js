// How much of the map the whole hall is fitted into: what lies over the map's edges is kept off it. Pure.

const COMPACT = 640; // CSS pixels of width
// CSS pixels that other things take; below, the basket's sheet has round corners.
const WIDE = { top: 16, right: 56, bottom: 56, left: 56 };
const NARROW = { top: 0, right: 0, bottom: 64, left: 0 };
const BARE = 18; // at the bottom, where no key of single seats' marks is shown
// CSS pixels at the top right that the controls take, side by side and one above the other (static/css/map.css).
const ROW = { width: 152, height: 64 };
const COLUMN = { width: 68, height: 162 };

/** @typedef {{top: number, right: number, bottom: number, left: number}} Inset CSS pixels */

/**
 * Whether the controls of a map stand side by side: where it has more height than width to give.
 * @param {number} width CSS pixels
 * @param {number} height
 */
export const sideBySide = (width, height) => width < COMPACT && (height >= width || height < COLUMN.height);

/**
 * On a narrow map the hall goes below the controls, and makes room for them only where they would lie on a section.
 * @param {number} width CSS pixels
 * @param {number} height
 * @param {boolean} row whether the controls stand side by side
 * @param {(inset: Inset) => boolean} isFar whether the hall, fitted so, is drawn as sections
 * @param {(inset: Inset, width: number, height: number) => boolean} isUnder whether a section of the hall, fitted so, lies
 *   in the corner of that size at the top right
 * @returns {Inset}
 */
export function roomFor(width, height, row, isFar, isUnder) {
  const inset = width < COMPACT ? { ...NARROW } : { ...WIDE };
  if (isFar(inset)) inset.bottom = BARE;
  if (width >= COMPACT) return inset;
  const corner = row ? ROW : COLUMN;
  if (!isUnder(inset, corner.width, corner.height)) return inset;
  // Above an open basket there may be less than the controls' own height to give away.
  if (row) return height >= width ? { ...inset, top: ROW.height } : { ...inset, right: ROW.width };
  return { ...inset, right: WIDE.right };
}

// Sections' names, with the price and what is left where there is room for it: the fullest of a few layouts whose box
// lies on the section's own seats. Laid out when the zoom has come to rest, not while it moves.

import { bitmap, contextOf } from "./bitmap.js";

const LEADING = 1.22; // of a line's size
const MOST_WIDTHS = 5000;
const PADDING = 3; // CSS pixels around a label's text
const SMALLEST = 9; // CSS pixels of letters
const ACROSS = [-1, 1, 0, -0.5, 0.5, -0.75, 0.75, -0.25, 0.25]; // of half a label: the likeliest to lie outside first

/** @typedef {import("./sections.js").Section} Section */
/** @typedef {{text: string, size: number, strong: boolean}} Line `size`: CSS pixels */
/** @typedef {{section: Section, picture: HTMLCanvasElement}} Label */
/** @typedef {{name: string, short: string, from: string, free: string, letters: string, letter: string}} Said `letters`: of the categories that are to be had, in `from` as well; `letter`: of the one whose colour it has */
/** @typedef {(section: import("../section_counts.js").Counted) => Said} Words `short`: what tells it from the others, where the name is long */

export class SectionLabels {
  /**
   * @param {Sale.Plan} plan
   * @param {import("./sections.js").Sections} sections
   * @param {import("./seat_index.js").SeatIndex} index
   */
  constructor(plan, sections, index) {
    this.plan = plan;
    this.sections = sections;
    this.index = index;
    this.scale = 0; // CSS pixels of a plan unit that the labels are laid out for
    /** @type {(Label | null)[]} */
    this.labels = []; // by section; null where there is no room
    /** @type {string[]} */
    this.said = []; // what each of them was laid out for
    this.next = 0; // the section that is looked at next; all of them have been where there is none
    /** @type {Map<string, number>} */
    this.widths = new Map(); // by font and text, CSS pixels
  }

  /** Other colours, or other letters: all is drawn anew. */
  reset() {
    this.said = [];
    this.widths.clear();
    this.next = 0;
  }

  /** The sections have been counted again. */
  counted() {
    this.next = 0;
  }

  /**
   * Lays out what is new: another zoom, or other words. Takes `budget` milliseconds at a time; true when there is more.
   * @param {CanvasRenderingContext2D} ctx
   * @param {number} scale CSS pixels of a plan unit
   * @param {number} ratio device pixels a CSS pixel
   * @param {import("./colors.js").Theme} theme
   * @param {Words} words
   * @param {number} budget
   */
  lay(ctx, scale, ratio, theme, words, budget) {
    if (Math.abs(this.scale - scale) > 1e-9) {
      this.said = [];
      this.next = 0;
    }
    this.scale = scale;
    const { list, shapes } = this.sections;
    const end = performance.now() + budget;
    for (; this.next < list.length && performance.now() < end; this.next += 1) {
      const section = list[this.next];
      const said = words(section);
      const key = `${said.name}/${said.from}/${said.free}/${section.level}/${section.category}`;
      if (this.said[this.next] === key) continue;
      this.said[this.next] = key;
      this.labels[this.next] = this.#label(ctx, section, shapes[this.next].girth, said, ratio, theme);
    }
    return this.next < list.length;
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {Section} section
   * @param {number} girth
   * @param {Said} said
   * @param {number} ratio
   * @param {import("./colors.js").Theme} theme
   * @returns {Label | null}
   */
  #label(ctx, section, girth, said, ratio, theme) {
    for (const lines of layouts(said)) {
      const height = lines.reduce((sum, { size }) => sum + size * LEADING, 0);
      const width = Math.max(...lines.map((line) => this.#width(ctx, theme, line)));
      if (this.#fits(section, width + PADDING, height + PADDING, girth))
        return { section, picture: picture(lines, width + 4, height, section.level === "few", section, ratio, theme) };
    }
    // Too small for anything to lie on its seats: a letter in the middle of it, set apart from the ground (V2).
    if (!said.letter) return null;
    const lines = [{ text: said.letter, size: SMALLEST, strong: true }];
    const [width, height] = [this.#width(ctx, theme, lines[0]), SMALLEST];
    if (!this.#holds(section.zone, width, height, girth)) return null;
    return { section, picture: picture(lines, width + 4, height * LEADING, true, section, ratio, theme) };
  }

  /**
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./colors.js").Theme} theme
   * @param {Line} line
   */
  #width(ctx, theme, { text, size, strong }) {
    const key = `${size}/${strong}/${text}`;
    let width = this.widths.get(key);
    if (width === undefined) {
      ctx.font = font(theme, size, strong);
      width = ctx.measureText(text).width;
      if (this.widths.size > MOST_WIDTHS) this.widths.clear();
      this.widths.set(key, width);
    }
    return width;
  }

  /**
   * Whether a box around the section's middle lies on its seats.
   * @param {Section} section
   * @param {number} width CSS pixels
   * @param {number} height
   * @param {number} girth
   */
  #fits({ zone, at }, width, height, girth) {
    const { plan, index, scale } = this;
    const reach = girth / 2 - this.sections.radius * 0.7;
    const [halfX, halfY] = [width / 2 / scale, height / 2 / scale];
    if (!this.#holds(zone, width, height, girth)) return false;
    for (const dy of [-1, 1, 0, -0.5, 0.5]) {
      for (const dx of ACROSS) {
        const near = index.nearest(at.x + dx * halfX, at.y + dy * halfY, reach);
        if (near < 0 || plan.zoneOf[near] !== zone.index) return false;
      }
    }
    return true;
  }

  /**
   * Whether the section, edge included, is as large as a box.
   * @param {Sale.Zone} zone
   * @param {number} width CSS pixels
   * @param {number} height
   * @param {number} girth
   */
  #holds({ box: { minX, minY, maxX, maxY } }, width, height, girth) {
    return width <= (maxX - minX + girth) * this.scale && height <= (maxY - minY + girth) * this.scale;
  }

  /**
   * The context's unit is CSS pixels.
   * @param {CanvasRenderingContext2D} ctx
   * @param {import("./viewport.js").Viewport} viewport
   * @param {number} ratio
   */
  draw(ctx, viewport, ratio) {
    // Laid out for another zoom they may not fit any more: what grew has room, what shrank has not.
    if (!(viewport.scale / this.scale > 0.8)) return;
    for (const label of this.labels) {
      if (!label) continue;
      const { at } = label.section;
      const width = label.picture.width / ratio;
      const height = label.picture.height / ratio;
      const x = at.x * viewport.scale + viewport.x;
      const y = at.y * viewport.scale + viewport.y;
      if (x < -width || y < -height || x > viewport.width + width || y > viewport.height + height) continue;
      // Whole device pixels: letters are copied, not blurred.
      const left = Math.round((x - width / 2) * ratio) / ratio;
      const top = Math.round((y - height / 2) * ratio) / ratio;
      ctx.drawImage(label.picture, left, top, width, height);
    }
  }
}

/**
 * A label drawn once: a hundred of them are copied in each frame.
 * @param {Line[]} lines
 * @param {number} width CSS pixels
 * @param {number} height
 * @param {boolean} apart what lies below is hatched, or something else's: the letters bring their ground along
 * @param {Section} section
 * @param {number} ratio
 * @param {import("./colors.js").Theme} theme
 */
function picture(lines, width, height, apart, { level }, ratio, theme) {
  const canvas = bitmap(Math.ceil(width * ratio), Math.ceil(height * ratio));
  const ctx = contextOf(canvas);
  ctx.scale(ratio, ratio);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4;
  ctx.strokeStyle = theme.map;
  ctx.fillStyle = level === "none" ? theme["ink-2"] : theme.ink;
  let top = 0;
  for (const { text, size, strong } of lines) {
    ctx.font = font(theme, size, strong);
    const middle = top + (size * LEADING) / 2;
    if (apart) ctx.strokeText(text, width / 2, middle);
    ctx.fillText(text, width / 2, middle);
    top += size * LEADING;
  }
  return canvas;
}

/**
 * From the fullest to the barest.
 * @param {Said} said
 * @returns {Line[][]}
 */
function layouts({ name, short, from, free, letters, letter }) {
  /** @type {(text: string, size: number) => Line} */
  const strong = (text, size) => ({ text, size, strong: true });
  /** @type {(text: string, size: number) => Line} */
  const plain = (text, size) => ({ text, size, strong: false });
  const found = [];
  for (const [big, small] of [
    [15, 13],
    [13, 12],
    [12, 11],
  ]) {
    for (const names of [[name], halves(name)]) {
      const lines = names.map((text) => strong(text, big));
      if (from && free) found.push([...lines, plain(`${from} · ${free}`, small)]);
      found.push([...lines, ...[from, free].filter(Boolean).map((text) => plain(text, small))]);
    }
  }
  // The letter says what the colour says: it stays when the name has to go (V2).
  const left = [letters, free].filter(Boolean).join(" · ");
  const bare = letters.replaceAll(", ", "/");
  for (const text of new Set([name, short])) {
    found.push([strong(text, 12), plain(left, 10)]);
    if (letters) found.push([strong(text, 12), plain(letters, 10)]);
  }
  for (const size of [11, 10, 9]) if (letters) found.push([strong(short, size), plain(letters, 9)]);
  for (const size of [11, 10, 9]) if (letters) found.push([strong(`${short} (${bare})`, size)]);
  if (letters) found.push([strong(bare, 9)], [strong(letter, 9)]);
  if (!letters) for (const text of new Set([name, short])) found.push([strong(text, 12)]);
  if (!letters) for (const size of [11, 10, 9]) found.push([strong(short, size)]);
  return found;
}

/**
 * A name in two lines of about the same length, where it has two words.
 * @param {string} name
 */
function halves(name) {
  const words = name.split(" ");
  if (words.length < 2) return [name];
  let best = 1;
  for (let i = 1; i < words.length; i += 1) {
    /** @param {number} at */
    const uneven = (at) => Math.abs(words.slice(0, at).join(" ").length - words.slice(at).join(" ").length);
    if (uneven(i) < uneven(best)) best = i;
  }
  return [words.slice(0, best).join(" "), words.slice(best).join(" ")];
}

/**
 * @param {import("./colors.js").Theme} theme
 * @param {number} size
 * @param {boolean} strong
 */
const font = (theme, size, strong) => `${strong ? 640 : 500} ${size}px ${theme.font}`;

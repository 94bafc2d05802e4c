// The drawn plan, cut into bitmaps: a frame copies a dozen tiles however many seats there are. Tiles are drawn at
// exactly the scale that is looked at, a few milliseconds' worth a frame, the last one in pieces; until they are there the
// overview and the tiles of the last zoom stand in.
import { bitmap, contextOf } from "./bitmap.js";
import { Overview } from "./overview.js";

const SIDE = 256; // device pixels: a browser draws a tile as a whole when it is copied, so it is one that a frame has time for
const MOST_TILES = 640;
const MOST_SPARE = 128;
const READY = 24; // bitmaps that are made ahead: as many as come into sight with a swipe

/** @typedef {HTMLCanvasElement} Canvas */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{i: number, j: number}} Place of a tile, by its column and row */
/** @typedef {Place & {canvas: Canvas, ctx: Context, used: number}} Tile */
/** @typedef {Place & {canvas: Canvas, ctx: Context, pieces: Generator<void, void, void>, changed: Geometry.Box[]}} Begun `changed`: what is to be drawn again when all of it is there */

class Layer {
  /** @param {number} k */
  constructor(k) {
    this.k = k;
    /** @type {Map<number, Tile>} */
    this.tiles = new Map(); // by `keyOf`
  }
}

export class Tiles {
  /**
   * @param {Pick<import("./painter.js").Painter, "paint" | "pieces" | "boxOf" | "drawsSections">} painter
   * @param {Geometry.Box} box of everything drawn, plan units
   */
  constructor(painter, box) {
    this.painter = painter;
    this.box = box;
    /** @type {Layer | null} */
    this.current = null;
    /** @type {Layer | null} */
    this.previous = null;
    /** @type {Overview | null} */
    this.overview = null; // drawn with the first reset
    /** @type {Begun | null} */
    this.begun = null; // the tile of the current layer that is being drawn
    this.clock = 0;
    // Milliseconds that a new tile takes, drawing and copying: many a browser draws only when a picture is copied, where no
    // clock inside of `#ensure` sees it. More than there is time for until it is known.
    this.cost = 10;
    this.made = 0; // tiles, ever
    // Bitmaps are expensive to make and to collect: what one zoom no longer needs the next one draws on.
    /** @type {Canvas[]} */
    this.spare = [];
  }

  /** Forgets everything drawn: another theme, filter, board. */
  reset() {
    this.#leave();
    for (const layer of [this.current, this.previous]) if (layer) this.#drop(layer);
    this.current = null;
    this.previous = null;
    this.overview ??= new Overview(this.painter, this.box);
    this.overview.reset();
  }

  /** @param {number} k device pixels a plan unit */
  setScale(k) {
    if (this.current && Math.abs(this.current.k - k) < 1e-6) return;
    if (this.current?.tiles.size) {
      if (this.previous) this.#drop(this.previous);
      this.previous = this.current;
    }
    this.#leave();
    this.current = new Layer(k);
  }

  get scale() {
    return this.current?.k ?? 0;
  }

  /**
   * Draws the seats anew, in place, wherever they are drawn already.
   * @param {Iterable<number>} ordinals
   */
  patch(ordinals) {
    for (const ordinal of ordinals) this.#anew(this.painter.boxOf(ordinal), false);
  }

  /**
   * Draws a section anew where sections are drawn.
   * @param {Geometry.Box} box
   */
  patchSection(box) {
    this.#anew(box, true);
  }

  /**
   * @param {Geometry.Box} box
   * @param {boolean} sections in pictures of sections, or in pictures of seats
   */
  #anew(box, sections) {
    const { overview, painter } = this;
    /** @param {number} k */
    const meant = (k) => painter.drawsSections(k) === sections;
    if (overview && meant(overview.k)) overview.patch(box);
    if (this.current && meant(this.current.k)) this.begun?.changed.push(box);
    for (const layer of [this.current, this.previous]) {
      if (!layer || !meant(layer.k)) continue;
      const { k } = layer;
      for (let j = Math.floor((box.minY * k) / SIDE); j <= Math.floor((box.maxY * k) / SIDE); j += 1) {
        for (let i = Math.floor((box.minX * k) / SIDE); i <= Math.floor((box.maxX * k) / SIDE); i += 1) {
          const tile = layer.tiles.get(keyOf(i, j));
          if (tile) this.#again(tile, box, k);
        }
      }
    }
  }

  /**
   * @param {Tile} tile
   * @param {Geometry.Box} box
   * @param {number} k
   */
  #again({ ctx, i, j }, box, k) {
    this.painter.paint(ctx, cut(box, i, j, k), k, -i * SIDE, -j * SIDE);
  }

  /**
   * Copies what is in sight into `ctx`; (x, y) is the plan's origin and `k` the scale, device pixels. Spends at most
   * `budget` milliseconds on tiles that are missing. True when some still are.
   * @param {Context} ctx
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {number} budget
   */
  draw(ctx, k, x, y, width, height, budget) {
    this.clock += 1;
    const { overview, previous, current } = this;
    const began = performance.now();
    const made = this.made;
    const complete = current !== null && this.#ensure(current, k, x, y, width, height, budget);
    // Stand-ins that are gone in a moment: quickly is better than finely.
    if (!complete) ctx.imageSmoothingQuality = "low";
    // While fingers go apart the layer fills all that is in sight: what would lie below it need not be enlarged.
    const filled = current !== null && k > current.k && !this.#missing(current, k, x, y, width, height).length;
    if (!complete && !filled) {
      overview?.copy(ctx, k, x, y, width, height);
      if (previous) this.#copy(ctx, previous, k, x, y, width, height);
    }
    if (current) this.#copy(ctx, current, k, x, y, width, height);
    if (previous && complete) {
      this.#drop(previous);
      this.previous = null;
    }
    this.#learn(performance.now() - began, this.made - made);
    return !complete;
  }

  /**
   * Makes what is missing of the layer, what is begun first, then nearest to the middle; true when nothing is missing.
   * @param {Layer} layer
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @param {number} budget
   */
  #ensure(layer, k, x, y, width, height, budget) {
    // In the middle of a zoom nothing is drawn for a scale that will be gone with the next frame.
    if (Math.abs(layer.k - k) > 1e-6) return false;
    const missing = this.#missing(layer, k, x, y, width, height);
    if (!missing.length) return true;
    const centre = { i: (width / 2 - x) / SIDE - 0.5, j: (height / 2 - y) / SIDE - 0.5 };
    /** @param {Place} place */
    const far = ({ i, j }) => (this.#isBegun(i, j) ? -1 : Math.hypot(i - centre.i, j - centre.j));
    missing.sort((a, b) => far(a) - far(b));
    const end = performance.now() + budget;
    const most = Math.max(1, Math.floor(budget / this.cost));
    for (const { i, j } of missing.slice(0, most)) if (!this.#make(layer, i, j, end)) break;
    if (layer.tiles.size > MOST_TILES) this.#trim(layer);
    return missing.every(({ i, j }) => layer.tiles.has(keyOf(i, j)));
  }

  /**
   * The tiles that are in sight and not there, at whatever scale the layer is looked at; those that are count as used.
   * @param {Layer} layer
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   * @returns {Place[]}
   */
  #missing(layer, k, x, y, width, height) {
    const { box } = this;
    const side = (SIDE * k) / layer.k;
    const [left, top] = [Math.floor(Math.max(-x, box.minX * k) / side), Math.floor(Math.max(-y, box.minY * k) / side)];
    const right = Math.floor(Math.min(width - x, box.maxX * k) / side);
    const bottom = Math.floor(Math.min(height - y, box.maxY * k) / side);
    const missing = [];
    for (let j = top; j <= bottom; j += 1) {
      for (let i = left; i <= right; i += 1) {
        const tile = layer.tiles.get(keyOf(i, j));
        if (tile) tile.used = this.clock;
        else missing.push({ i, j });
      }
    }
    return missing;
  }

  /**
   * What grows is believed at once, what shrinks little by little: beside an empty corner lies a full one.
   * @param {number} spent milliseconds
   * @param {number} made tiles
   */
  #learn(spent, made) {
    if (!made) return;
    const each = Math.max(0.1, spent / made);
    this.cost = Math.max(each, this.cost * 0.9 + each * 0.1);
  }

  /**
   * Draws a tile until `end`, and goes on with it when it is asked for again; true when it is there.
   * @param {Layer} layer
   * @param {number} i
   * @param {number} j
   * @param {number} end by performance.now()
   */
  #make(layer, i, j, end) {
    const { k } = layer;
    const begun = this.#begin(layer, i, j);
    while (!begun.pieces.next().done) if (performance.now() > end) return false;
    this.begun = null;
    const tile = { canvas: begun.canvas, ctx: begun.ctx, i, j, used: this.clock };
    layer.tiles.set(keyOf(i, j), tile);
    for (const box of begun.changed) if (meets(box, i, j, k)) this.#again(tile, box, k);
    this.made += 1;
    return true;
  }

  /**
   * @param {Layer} layer
   * @param {number} i
   * @param {number} j
   * @returns {Begun}
   */
  #begin(layer, i, j) {
    if (this.begun && this.#isBegun(i, j)) return this.begun;
    this.#leave();
    const { k } = layer;
    const canvas = this.spare.pop() ?? bitmap(SIDE, SIDE);
    const ctx = contextOf(canvas);
    const box = { minX: (i * SIDE) / k, minY: (j * SIDE) / k, maxX: ((i + 1) * SIDE) / k, maxY: ((j + 1) * SIDE) / k };
    const pieces = this.painter.pieces(ctx, box, k, -i * SIDE, -j * SIDE);
    return (this.begun = { canvas, ctx, i, j, pieces, changed: [] });
  }

  /**
   * @param {number} i
   * @param {number} j
   */
  #isBegun(i, j) {
    return this.begun?.i === i && this.begun.j === j;
  }

  /** What was begun is not wanted any more. */
  #leave() {
    if (!this.begun) return;
    this.begun.pieces.return();
    this.#save(this.begun.canvas);
    this.begun = null;
  }

  /**
   * @param {Context} ctx
   * @param {Layer} layer
   * @param {number} k
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  #copy(ctx, layer, k, x, y, width, height) {
    const part = k / layer.k;
    const side = SIDE * part;
    for (const { canvas, i, j } of layer.tiles.values()) {
      // Edges on whole pixels: neighbours meet without a seam.
      const left = Math.round(i * side + x);
      const top = Math.round(j * side + y);
      const right = Math.round((i + 1) * side + x);
      const bottom = Math.round((j + 1) * side + y);
      if (left > width || top > height || right < 0 || bottom < 0) continue;
      ctx.clearRect(left, top, right - left, bottom - top);
      ctx.drawImage(canvas, left, top, right - left, bottom - top);
    }
  }

  /** @param {Layer} layer */
  #trim(layer) {
    const tiles = [...layer.tiles.entries()].sort((a, b) => a[1].used - b[1].used);
    for (const [key, tile] of tiles.slice(0, layer.tiles.size - MOST_TILES)) {
      if (tile.used === this.clock) break;
      layer.tiles.delete(key);
      this.#save(tile.canvas);
    }
  }

  /** @param {Layer} layer */
  #drop(layer) {
    for (const { canvas } of layer.tiles.values()) this.#save(canvas);
    layer.tiles.clear();
  }

  /**
   * Makes a bitmap ahead, with its memory: that takes a slow phone as long as to draw on it. True when more are wanted. Call
   * while nothing moves.
   */
  reserve() {
    if (this.spare.length >= READY) return false;
    const canvas = bitmap(SIDE, SIDE);
    contextOf(canvas).clearRect(0, 0, SIDE, SIDE);
    this.spare.push(canvas);
    return this.spare.length < READY;
  }

  /** @param {Canvas} canvas */
  #save(canvas) {
    if (this.spare.length < MOST_SPARE) this.spare.push(canvas);
  }
}

/**
 * Names a tile of a layer without making a text for it: a hundred are looked up in each frame.
 * @param {number} i column
 * @param {number} j row, 32,768 up or down at most
 */
const keyOf = (i, j) => i * 65536 + j;

/**
 * The part of the box that lies on tile (i, j).
 * @param {Geometry.Box} box
 * @param {number} i
 * @param {number} j
 * @param {number} k
 */
function cut(box, i, j, k) {
  return {
    minX: Math.max(box.minX, (i * SIDE) / k),
    minY: Math.max(box.minY, (j * SIDE) / k),
    maxX: Math.min(box.maxX, ((i + 1) * SIDE) / k),
    maxY: Math.min(box.maxY, ((j + 1) * SIDE) / k),
  };
}

/**
 * Whether some of the box lies on tile (i, j).
 * @param {Geometry.Box} box
 * @param {number} i
 * @param {number} j
 * @param {number} k
 */
function meets(box, i, j, k) {
  const { minX, minY, maxX, maxY } = cut(box, i, j, k);
  return minX < maxX && minY < maxY;
}

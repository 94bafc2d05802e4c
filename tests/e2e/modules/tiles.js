import { Tiles } from "/static/js/seat_map/tiles.js";
import { same, that } from "./same.js";

const BOX = { minX: 0, minY: 0, maxX: 3000, maxY: 3000 };
const SEAT = { minX: 500, minY: 10, maxX: 530, maxY: 40 }; // on the first two tiles at scale 1
const PLENTY = 1e6; // milliseconds

/** Tiles of a hall that is one colour; `painted` has a line for each time that something is drawn. */
function hall() {
  const painted = [];
  const painter = {
    color: "#00ff00",
    boxOf: () => SEAT,
    drawsSections: (k) => k < 0.01,
    breaks: 0,
    *pieces(ctx, box, k, ox, oy) {
      for (let i = 0; i < this.breaks; i += 1) yield;
      this.paint(ctx, box, k, ox, oy);
    },
    paint(ctx, box, k, ox, oy) {
      painted.push({ k, box });
      ctx.fillStyle = this.color;
      ctx.fillRect(box.minX * k + ox, box.minY * k + oy, (box.maxX - box.minX) * k, (box.maxY - box.minY) * k);
    },
  };
  const tiles = new Tiles(painter, BOX);
  tiles.reset();
  const canvas = document.createElement("canvas");
  canvas.width = 1024;
  canvas.height = 512;
  const ctx = canvas.getContext("2d");
  const draw = (k, budget = PLENTY, x = 0, y = 0) => tiles.draw(ctx, k, x, y, canvas.width, canvas.height, budget);
  const color = (x, y) => `#${[...ctx.getImageData(x, y, 1, 1).data.slice(0, 3)].map((c) => c.toString(16).padStart(2, "0")).join("")}`;
  return { tiles, painter, painted, ctx, draw, color };
}

export function whatIsInSightIsDrawnAndOnce() {
  const { tiles, painted, draw, color } = hall();
  painted.length = 0;
  tiles.setScale(1);
  same(draw(1), false);
  same([tiles.current.tiles.size, painted.length, color(1, 1), color(1000, 500)], [15, 15, "#00ff00", "#00ff00"]);
  same([draw(1), painted.length], [false, 15]);
}

// A frame has a few milliseconds: what is missing then comes with the next ones, the coarse picture stands in.
export function aFrameDrawsWhatItHasTimeForAndShowsTheRestCoarsely() {
  const { tiles, painted, draw, color } = hall();
  painted.length = 0;
  tiles.setScale(1);
  same([draw(1, -1), painted.length, color(1, 1), color(1000, 500)], [true, 1, "#00ff00", "#00ff00"]);
  let frames = 1;
  while (draw(1, -1)) frames += 1;
  same([frames, painted.length], [14, 15]);
}

// V1: what takes longer than a frame has is drawn in pieces, and begun once, also while the map is moved.
export function aTileComesInPiecesAndWithWhatChangedMeanwhile() {
  const { tiles, painter, painted, draw, color } = hall();
  tiles.setScale(1);
  painter.breaks = 3;
  painted.length = 0;
  for (let frame = 0; frame < 3; frame += 1) same([draw(1, -1, -frame * 60), painted.length], [true, 0]);
  const { i, j } = tiles.begun;
  painter.boxOf = () => ({ minX: i * 256 + 10, minY: j * 256 + 10, maxX: i * 256 + 40, maxY: j * 256 + 40 });
  tiles.patch([7]); // in the coarse picture now, in the tile when it is there
  same(painted.length, 1);
  draw(1, -1);
  same([tiles.begun, tiles.current.tiles.size, painted.length], [null, 1, 3]);
  same([painted[2].box.minX, color(i * 256 + 20, j * 256 + 20)], [i * 256 + 10, "#00ff00"]);
}

export function aTileThatIsNotWantedAnyMoreIsLeft() {
  const { tiles, painter, painted, draw } = hall();
  tiles.setScale(1);
  painter.breaks = 1;
  draw(1, -1);
  painted.length = 0;
  tiles.setScale(2);
  same([tiles.begun, tiles.spare.length, painted.length], [null, 1, 0]);
}

export function inTheMiddleOfAZoomNothingIsDrawn() {
  const { tiles, painted, draw, color } = hall();
  tiles.setScale(1);
  draw(1);
  painted.length = 0;
  same([draw(1.5), painted.length, color(500, 200)], [true, 0, "#00ff00"]);
  tiles.setScale(1.5);
  that(tiles.previous, "the tiles of the last zoom stand in");
  same([draw(1.5), tiles.previous], [false, null]);
}

// V1: a frame of a pinch has no time for what nobody sees.
export function fingersThatGoApartEnlargeNothingThatIsCovered() {
  const { tiles, ctx, draw } = hall();
  tiles.setScale(1);
  draw(1);
  const copied = [];
  ctx.drawImage = (...given) => {
    copied.push(given[0]);
    CanvasRenderingContext2D.prototype.drawImage.apply(ctx, given);
  };
  draw(1.5);
  same([copied.length > 0, copied.includes(tiles.overview.canvas)], [true, false]);
  draw(0.7);
  that(copied.includes(tiles.overview.canvas), "what no tile has stands in");
}

export function aSeatThatChangedIsDrawnOnEveryTileThatItLiesOn() {
  const { tiles, painter, painted, draw, color } = hall();
  tiles.setScale(1);
  draw(1);
  painter.color = "#ff0000";
  painted.length = 0;
  tiles.patch([7]);
  // The coarse picture, and both tiles: each only what lies on it.
  same(painted.map(({ box }) => [box.minX, box.maxX]), [[500, 530], [500, 512], [512, 530]]);
  draw(1);
  same([color(505, 20), color(520, 20), color(540, 20)], ["#ff0000", "#ff0000", "#00ff00"]);
}

export function anotherThemeDrawsAllAnew() {
  const { tiles, painter, draw, color } = hall();
  tiles.setScale(1);
  draw(1);
  painter.color = "#0000ff";
  tiles.reset();
  tiles.setScale(1);
  draw(1);
  same(color(100, 100), "#0000ff");
}

// A visitor who wanders over a stadium must not collect its bitmaps.
export function tilesThatAreOutOfSightAreForgotten() {
  const { tiles, draw } = hall();
  tiles.setScale(8);
  for (let x = 0; x < 20000; x += 1024) for (let y = 0; y < 8000; y += 512) draw(8, PLENTY, -x, -y);
  that(tiles.current.tiles.size <= 640 && tiles.spare.length <= 128, `${tiles.current.tiles.size} tiles, ${tiles.spare.length} spare`);
}

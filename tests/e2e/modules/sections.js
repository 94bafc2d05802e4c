import { Plan } from "/static/js/plan.js";
import { fromColumns, fromSeats } from "/static/js/plan_columns.js";
import { SectionCounts } from "/static/js/section_counts.js";
import { shortNames } from "/static/js/section_words.js";
import { fitsTurned } from "/static/js/seat_map/scene.js";
import { SeatIndex, treeOf } from "/static/js/seat_map/seat_index.js";
import { SectionKeys } from "/static/js/seat_map/section_keys.js";
import { SectionLabels } from "/static/js/seat_map/section_labels.js";
import { Sections } from "/static/js/seat_map/sections.js";
import { pinAt, pinsOf } from "/static/js/seat_map/pins.js";
import { Viewport } from "/static/js/seat_map/viewport.js";
import { same, that } from "./same.js";

/** Blocks of 2 x 5 seats, `across` side by side and `down` of them behind each other; every fifth seat is dear. */
function blocks(across, down) {
  const zones = Array.from({ length: across * down }, (_, i) => `Block ${i + 1}`);
  const seats = zones.flatMap((zone, z) =>
    Array.from({ length: 10 }, (_, i) => ({
      ordinal: z * 10 + i, guid: `${z}-${i}`, zone, row: i < 5 ? "1" : "2", number: `${(i % 5) + 1}`,
      category: i % 5 ? "Cheap" : "Dear", x: (z % across) * 200 + (i % 5) * 24, y: Math.floor(z / across) * 150 + (i < 5 ? 0 : 30),
      r: 10, accessible: i === 9,
    })),
  );
  return {
    name: "Hall", width: 1000, height: 1000, zones, seats, row_labels: [{ text: "1", x: -20, y: 0 }],
    categories: [{ name: "Dear", color: "#900", price: 30 }, { name: "Cheap", color: "#090", price: 10 }, { name: "Never", color: "#009", price: null }],
    areas: [{ shape: "rectangle", x: 100, y: -200, rotation: 0, geometry: { width: 300, height: 80 }, text: "STAGE", text_x: 250, text_y: -160, text_size: 20 }],
  };
}

const differences = (values) => values.map((value, i) => value - (i ? values[i - 1] : 0));

/** As the server writes it: docs/plan-columns.md. */
function columns(body) {
  const zone = (name) => body.zones.indexOf(name);
  const lines = { zone: [], row: [], seats: [] };
  let last = "";
  for (const seat of body.seats) {
    const key = `${seat.zone}/${seat.row}`;
    if (key !== last) {
      lines.zone.push(zone(seat.zone));
      lines.row.push(Number(seat.row) - 1);
      lines.seats.push(0);
    }
    lines.seats[lines.seats.length - 1] += 1;
    last = key;
  }
  const bends = (name) => differences(differences(body.seats.map((seat) => seat[name] * 2)));
  return {
    ...body, format: 1, unit: 0.5, seats: body.seats.length, rows: ["1", "2"], numbers: ["1", "2", "3", "4", "5"],
    lines: { ...lines, row: differences(lines.row) }, x: bends("x"), y: bends("y"), radius: [20, body.seats.length],
    category: body.seats.flatMap((seat) => [seat.category === "Dear" ? 0 : 1, 1]),
    number: differences(body.seats.map((seat) => Number(seat.number) - 1)),
    accessible: differences(body.seats.filter((seat) => seat.accessible).map((seat) => seat.ordinal)),
    row_labels: { text: ["1"], x: [-40], y: [0] },
  };
}

// V1: what comes in columns is the plan that comes a seat at a time.
export function columnsAndSeatsMakeTheSamePlan() {
  const body = blocks(3, 2);
  const [ours, theirs] = [new Plan(fromColumns(columns(body))), new Plan(fromSeats(body))];
  for (let i = 0; i < 60; i += 1) same([ours.seat(i), ours.x[i], ours.y[i], ours.r[i]], [theirs.seat(i), theirs.x[i], theirs.y[i], theirs.r[i]]);
  same([ours.zones, ours.box, ours.rowLabels], [theirs.zones, theirs.box, theirs.rowLabels]);
  same(ours.rows.map((row) => row.seats), theirs.rows.map((row) => row.seats));
  let thrown = false;
  try {
    fromColumns({ ...columns(body), format: 2 });
  } catch {
    thrown = true;
  }
  that(thrown, "another format is not guessed at");
}

// V2: from what price, what is left, and in which categories, by letter.
export function aSectionSaysWhatIsLeftAndFromWhatPrice() {
  const plan = new Plan(fromSeats(blocks(2, 1)));
  same(plan.marks, ["A", "B", ""]);
  const counts = new SectionCounts(plan);
  const states = new Uint8Array(20);
  const told = (filter = null) => counts.count(states, filter).map(({ free, from, marks, level }) => [free, from, marks.join(""), level]);
  same(told(), [[10, 10, "AB", "many"], [10, 10, "AB", "many"]]);
  for (let i = 1; i < 10; i += 1) if (i !== 5) states[i] = 2; // of the first block only the dear ones are left
  same(told(), [[2, 30, "A", "many"], [10, 10, "AB", "many"]]);
  states[5] = 1;
  same(told()[0], [1, 30, "A", "few"]);
  same(told(new Set([1])), [[0, null, "", "none"], [8, 10, "B", "many"]]);
  const sections = new Sections(plan);
  sections.count(states, null);
  same(sections.count(states, null), []); // nothing looks different: nothing is drawn anew
  states[0] = 3;
  same(sections.count(states, null).length, 1);
}

export function oneCategoryNeedsNoLetters() {
  const body = blocks(1, 1);
  body.categories = [{ name: "Dear", color: "#900", price: 30 }, { name: "Cheap", color: "#090", price: null }];
  same(new Plan(fromSeats(body)).marks, ["", ""]);
}

export function namesThatDifferByANumberAreShortened() {
  same(shortNames(["Block 101", "Block 102", "Block 103"]), ["101", "102", "103"]);
  same(shortNames(["Block 1", "Tier 1", "Block 2", "Block 3"]), ["1", "Tier 1", "2", "3"]);
  same(shortNames(["Stalls left", "Stalls right", "Balcony"]), ["Stalls left", "Stalls right", "Balcony"]);
}

// Every section by the arrows, and each says its name.
export function theArrowsReachEverySection() {
  const plan = new Plan(fromSeats(blocks(12, 9)));
  const sections = new Sections(plan);
  sections.count(new Uint8Array(plan.size), null);
  const viewport = new Viewport(sections.bounds(), 10);
  viewport.resize(390, 600);
  const opened = [];
  const keys = new SectionKeys({ label: "Sections", onOpen: (zone) => opened.push(zone.name), onFocus: () => {} });
  keys.counted(sections.list);
  that(keys.name(({ zone }) => zone.name, 0), "there are more than there is time for");
  while (keys.name(({ zone }) => zone.name, 1));
  keys.place(viewport);
  document.body.append(keys.element);
  const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  keys.buttons[0].focus();
  const seen = new Set([keys.current]);
  for (let row = 0; row < 9; row += 1) {
    for (let i = 0; i < 11; i += 1) {
      press(row % 2 ? "ArrowLeft" : "ArrowRight");
      seen.add(keys.current);
    }
    press("ArrowDown");
    seen.add(keys.current);
  }
  same(seen.size, 108);
  press("End");
  same([document.activeElement.getAttribute("aria-label"), keys.buttons.filter((one) => one.tabIndex === 0).length], ["Block 108", 1]);
  document.activeElement.click();
  same(opened, ["Block 108"]);
  keys.element.remove();
}

// A hall on its side: the same seats in the same places, seen from another side.
export function aTurnedHallIsTheSameHall() {
  const parts = fromSeats(blocks(6, 1));
  parts.tree = treeOf(parts);
  const plan = new Plan(parts);
  const turned = plan.turned();
  const [width, height] = [plan.box.maxX - plan.box.minX, plan.box.maxY - plan.box.minY];
  same([turned.box.maxX - turned.box.minX, turned.box.maxY - turned.box.minY], [height, width]);
  that(fitsTurned(plan.box, 390, 600) && !fitsTurned(plan.box, 1000, 600) && !fitsTurned(turned.box, 390, 600), "a wide hall stands upright on a phone");
  const index = new SeatIndex(turned);
  for (const seat of [0, 17, 42, 59]) {
    same([turned.x[seat], turned.y[seat]], [plan.y[seat], -plan.x[seat]]);
    same(index.nearest(turned.x[seat] + 3, turned.y[seat] - 2, 5), seat);
    const { minX, minY, maxX, maxY } = turned.zones[plan.zoneOf[seat]].box;
    that(index.inBox({ minX, minY, maxX, maxY }).includes(seat), `seat ${seat} is in its section's box`);
  }
  same(index.inBox(turned.box).length, 60);
  const middles = (hall) => new Sections(hall).list.map(({ at }) => at);
  same(middles(turned), middles(plan).map(({ x, y }) => ({ x: y, y: -x })));
  // Its shape is turned as well: a section's middle is painted, and what is between two of them is not.
  const [first, second] = new Sections(turned).shapes;
  const pen = document.createElement("canvas").getContext("2d");
  pen.lineWidth = first.girth;
  same([pen.isPointInStroke(first.path, first.at.x, first.at.y), pen.isPointInStroke(first.path, second.at.x, second.at.y)], [true, false]);
  same([plan.onItsSide, turned.onItsSide, turned.seat(17)], [false, true, plan.seat(17)]);
}

// V2: one's own seats are always in sight.
export function ownSeatsHavePins() {
  const plan = new Plan(fromSeats(blocks(2, 1)));
  const viewport = new Viewport(plan.box, 10);
  viewport.resize(200, 100);
  const far = pinsOf(plan, [0, 1, 19], viewport);
  same(far.map(({ seats, away }) => [seats, away]), [[[0, 1], false], [[19], false]]);
  viewport.showSeat(0, 0, 0, true);
  viewport.zoom(3, 100, 50);
  const near = pinsOf(plan, [0, 19], viewport);
  same(near.map(({ seats, away }) => [seats, away]), [[[19], true]]);
  that(near[0].x > 100 && near[0].x <= 200 && near[0].y <= 100, "at the edge, on its side");
  same(pinAt(near, near[0].x, near[0].y), near[0]);
  same(pinAt(near, 20, 50), null);
}

// V2: a name says as much as there is room for on its own section; the letters of its prices before nothing but the name.
export function aSectionSaysAsMuchAsItHasRoomFor() {
  const plan = new Plan(fromSeats(blocks(3, 2)));
  const sections = new Sections(plan);
  sections.count(new Uint8Array(plan.size), null);
  const labels = new SectionLabels(plan, sections, new SeatIndex(plan));
  let number = "";
  const words = ({ zone }) => ({ name: zone.name, short: number + zone.name.slice(6), from: "A, B: from $10", free: "10 free", letters: "A, B", letter: "B" });
  const ctx = document.createElement("canvas").getContext("2d");
  const theme = { font: "sans-serif", map: "#fff", ink: "#000", "ink-2": "#333", categories: [] };
  const { fillText } = CanvasRenderingContext2D.prototype;
  const said = (scale) => {
    const texts = [];
    CanvasRenderingContext2D.prototype.fillText = (text) => texts.push(text);
    try {
      while (labels.lay(ctx, scale, 1, theme, words, 1));
    } finally {
      CanvasRenderingContext2D.prototype.fillText = fillText;
    }
    return texts;
  };
  same(said(4).slice(0, 2), ["Block 1", "A, B: from $10 · 10 free"]);
  same(said(0.55).slice(0, 2), ["Block 1", "A, B · 10 free"]);
  same(said(0.42).slice(0, 2), ["1", "A, B"]);
  same(said(0.3).slice(0, 2), ["1 (A/B)", "2 (A/B)"]);
  number = "1000000000000";
  that(["A/B", "B"].includes(said(0.31)[0]), "letters, where the number does not fit");
  same(said(0.14), Array(6).fill("B")); // some 15 by 10 pixels: nothing is said by colour alone (V2)
  same(said(0.01), []);
}

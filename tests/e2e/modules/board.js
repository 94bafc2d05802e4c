import { looksEvery, whatIsLeft } from "/static/js/sold_out.js";
import { Board, unpackedBoard } from "/static/js/board.js";
import { same } from "./same.js";

const states = (...bytes) => btoa(String.fromCharCode(...bytes));

// Rule 6: snapshot + changes = state; known changes are not applied twice; a gap or a new epoch asks again.
export function snapshotPlusChangesIsTheBoard() {
  const board = new Board();
  same(board.apply({ epoch: 1, version: 1, changes: [[0, 1]] }), null);
  board.load({ epoch: 1, version: 10, states: states(0, 0, 0, 0) });
  same(board.apply({ epoch: 1, version: 12, changes: [[0, 1], [1, 2]] }), [0, 1]);
  same(board.apply({ epoch: 1, version: 12, changes: [[0, 0]] }), []);
  same(board.apply({ epoch: 1, version: 13, changes: [[1, 0], [3, 1]] }), [3]);
  same([...board.states], [1, 2, 0, 1]);
  same(board.counts, [1, 2, 1, 0]);
  same(board.version, 13);
}

export function gapsAndNewEpochsAreNoticed() {
  const board = new Board();
  board.load({ epoch: 1, version: 13, states: states(0, 0, 0) });
  same(board.apply({ epoch: 1, version: 15, changes: [[2, 1]] }), null);
  same(board.apply({ epoch: 2, version: 14, changes: [[2, 1]] }), null);
  same(board.apply({ epoch: 1, version: 14, changes: [[9, 1]] }), null);
  same([...board.states], [0, 0, 0]);
}

export function aLoadedBoardNamesWhatDiffers() {
  const board = new Board();
  same(board.load({ epoch: 1, version: 1, states: states(0, 1, 2) }), null);
  same(board.load({ epoch: 2, version: 1, states: states(0, 0, 2) }), [1]);
  same(board.load({ epoch: 3, version: 1, states: states(0, 0) }), null);
  same(board.counts, [2, 0, 0, 0]);
}

// Any cut of the changes into messages, any overlap with what is known, ends in the same board.
export function everyWayOfSendingEndsTheSame() {
  let seed = 7;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 200; round += 1) {
    const truth = new Uint8Array(12);
    const log = [];
    for (let i = 0; i < 30; i += 1) {
      const change = [random(12), random(4)];
      truth[change[0]] = change[1];
      log.push(change);
    }
    const board = new Board();
    board.load({ epoch: 1, version: 0, states: states(...new Uint8Array(12)) });
    for (let at = 0; at < log.length; ) {
      const from = Math.max(0, at - random(4));
      const to = Math.min(log.length, at + 1 + random(6));
      board.apply({ epoch: 1, version: to, changes: log.slice(from, to) });
      at = to;
    }
    same([...board.states], [...truth]);
    same(board.counts, [0, 1, 2, 3].map((state) => truth.filter((one) => one === state).length));
  }
}

export function whatIsLeftIsFreeOrMayComeBackOrIsGone() {
  const board = new Board();
  same(whatIsLeft(board, 0), { kind: "unknown", held: 0 });
  board.load({ epoch: 1, version: 1, states: states(0, 3, 1, 2) });
  same(whatIsLeft(board, 0), { kind: "free", held: 1 });
  board.load({ epoch: 1, version: 2, states: states(2, 3, 1, 1) });
  same(whatIsLeft(board, 0), { kind: "held", held: 2 });
  // The visitor's own seats are held as well, and no news.
  same(whatIsLeft(board, 2), { kind: "gone", held: 0 });
  board.load({ epoch: 1, version: 3, states: states(2, 3, 2, 2) });
  same(whatIsLeft(board, 0), { kind: "gone", held: 0 });
}

// V3: at the peak all seats are in baskets, and everybody waits.
export function onlyWhoWaitsForASoldOutHallLooksOftener() {
  const board = new Board();
  const every = () => [looksEvery(board, true), looksEvery(board, false)];
  same(every(), [60000, 60000]);
  board.load({ epoch: 1, version: 1, states: states(0, 3, 1, 2) });
  same(every(), [60000, 60000]);
  board.load({ epoch: 1, version: 2, states: states(2, 3, 1, 1) });
  same(every(), [60000, 60000]);
  board.load({ epoch: 1, version: 3, states: states(2, 3, 2, 2) });
  same(every(), [15000, 60000]);
}

// tests/unit/test_frames.py writes the same from the other side.
export function aPackedBoardIsABoard() {
  const bytes = [1, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 5, 0b11100100, 0b01];
  const message = unpackedBoard(new Uint8Array(bytes).buffer);
  same([message.type, message.epoch, message.version], ["board", 258, 2 ** 32 + 9]);
  const board = new Board();
  board.load(message);
  same([...board.states], [0, 1, 2, 3, 1]);
  same(board.counts, [1, 2, 1, 1]);
}

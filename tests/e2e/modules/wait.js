import { band, progress } from "/static/js/wait.js";
import { same, that } from "./same.js";

export function nothingKnownIsNoBand() {
  same([null, undefined, { low: NaN, high: 1 }, { low: 1, high: Infinity }].map(band), [null, null, null, null]);
}

export function wordsHoldTheBand() {
  same(band({ low: 0, high: 1 }), { kind: "soon" });
  same(band({ low: 20, high: 60 }), { kind: "soon" });
  same(band({ low: 300, high: 480 }), { kind: "minutes", from: 5, to: 8 });
  for (let high = 61; high < 200000; high = Math.ceil(high * 1.07)) {
    const low = Math.floor(high * 0.55);
    const { kind, from, to } = band({ low, high });
    const unit = { minutes: 60, hours: 3600 }[kind];
    that(from < to, `${high}: ${from} < ${to}`);
    that(from * unit <= low + unit / 2 || from === 1, `${low}: not more than ${from} ${kind}`);
    that(to * unit >= high, `${high}: not less than ${to} ${kind}`);
  }
}

export function progressCountsFromTheFirstLook() {
  same([progress(10, 10), progress(10, 5), progress(10, 0), progress(0, 0), progress(5, 9)], [0, 0.5, 1, 1, 0]);
}

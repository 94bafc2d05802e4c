import { band, progress } from "/static/js/wait.js";
import { same, that } from "./same.js";

export function nothingKnownIsNoBand() {
  same([null, undefined, NaN, Infinity].map(band), [null, null, null, null]);
}

export function bandsHoldTheEstimate() {
  same(band(0), { kind: "soon" });
  same(band(44), { kind: "soon" });
  for (let eta = 45; eta < 200000; eta = Math.ceil(eta * 1.07)) {
    const { kind, from, to } = band(eta);
    const unit = { minutes: 60, hours: 3600 }[kind];
    that(from < to, `${eta}: ${from} < ${to}`);
    that(from * unit <= Math.max(eta, unit), `${eta}: not more than ${from} ${kind}`);
    that(to * unit >= eta, `${eta}: not less than ${to} ${kind}`);
  }
}

export function progressCountsFromTheFirstLook() {
  same([progress(10, 10), progress(10, 5), progress(10, 0), progress(0, 0), progress(5, 9)], [0, 0.5, 1, 1, 0]);
}

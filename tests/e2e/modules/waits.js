import { columnsOf, timeOf } from "/static/js/waits/columns.js";
import { same } from "./same.js";

const one = (joined_at, low, high, actual) => ({ joined_at, promised: { low, high }, actual, kept: true });

export const waitsAreDrawnByTheTimeOfJoining = () => {
  const newest = [one("2030-05-01T10:02:00Z", 60, 120, 90), one("2030-05-01T10:01:00Z", 30, 60, 70)];
  const first = Date.parse("2030-05-01T10:01:00Z") / 1000;
  same(columnsOf(newest), [[first, first + 60], [60, 120], [30, 60], [70, 90]]);
};

export const timesAreTheEvents = () => same(timeOf(Date.parse("2030-05-01T10:02:00Z"), "Asia/Seoul"), "19:02");

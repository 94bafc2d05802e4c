import { learnCurrencies, load } from "/static/js/i18n.js";
import { FIELDS, sampleOf, tiles } from "/static/js/ops/figures.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same } from "./same.js";

const NEWS = {
  now: "2030-05-01T20:00:00Z",
  paused: false,
  active_limit: 40,
  seats: 100,
  currency: "EUR",
  admission: { waiting: 17, active: 9, cap: null, pace: null, came_back: 0 },
  board: { held: 6, sold: 50, available: 44, blocked: 0 },
  sales: { revenue: 100, last_minute: 1 },
  checkouts: { confirmed: 31, failed: 2, under_way: 1, p95_seconds: 3, median_seconds: 1, reasons: {}, seconds: 300 },
  events: { oldest_seconds: 0, unsent: 0, dead_letters: 0 },
  fanout_p95_ms: 12,
  channels: 4,
};

/** The tiles' text, and the point that the charts get, by name. */
async function shown(changes = {}) {
  await load("en", "/static");
  learnCurrencies({ EUR: 2 });
  const news = { ...NEWS, ...changes };
  const host = document.createElement("div");
  render(tiles(news), host);
  const sample = Object.fromEntries(sampleOf(news).map((value, index) => [FIELDS[index], value]));
  const figures = [...host.querySelectorAll("dd")].map((tile) => {
    for (const beside of tile.querySelectorAll("i")) beside.before(" ");
    return tile.textContent.replace(/\s+/g, " ").trim();
  });
  return { text: figures, sample };
}

// V5: two figures of one thing beside each other are one figure.
export async function tilesAndChartsSayTheSame() {
  for (const [changes, limit] of [
    [{}, 40],
    [{ paused: true }, 0],
    [{ admission: { ...NEWS.admission, cap: 25 } }, 25],
    [{ admission: { ...NEWS.admission, cap: 90 } }, 40],
  ]) {
    const { text, sample } = await shown(changes);
    same(sample.limit, limit);
    for (const [tile, name] of [[0, "waiting"], [2, "held"], [3, "sold"], [5, "confirmed"]])
      same([name, parseInt(text[tile], 10)], [name, sample[name]]);
    same(text[1].replace(/\s/g, "").startsWith(`${sample.active}/${limit}`), true);
  }
}

export async function whatIsNotKnownIsKnownToNeither() {
  const { text, sample } = await shown({ admission: null, board: null, checkouts: null });
  same([sample.waiting, sample.held, sample.sold, text[0][0], text[2][0]], [null, null, null, "–", "–"]);
}

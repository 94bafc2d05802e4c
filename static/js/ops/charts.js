// The live page's charts: uPlot on the samples of the last hour and the figures of each second.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { t } from "../i18n.js";
import { figure } from "./format.js";

const HOUR = 3600;
const HEIGHT = 168; // pixels, without the legend

// What the lines of a chart are drawn with, in their order, so that they are told apart without their colours (V2): CSS
// pixels that are drawn and left out in turn.
const STROKES = [[], [9, 4], [2, 3]];

/** Samples in columns, as uPlot takes them; at most an hour of them. */
/** @typedef {(number | null)[]} Sample in the order of a series' fields; the first is the time in seconds */
/**
 * @typedef {object} Line
 * @property {string} field
 * @property {string} label
 * @property {string} color a token
 * @property {(value: number | null) => string} [format]
 */

export class Series {
  /** @param {string[]} fields */
  constructor(fields) {
    this.fields = fields;
    /** @type {Sample[]} */
    this.columns = fields.map(() => []);
  }

  /**
   * Replaces everything.
   * @param {Sample[]} samples
   */
  load(samples) {
    this.columns = this.fields.map((_, index) => samples.map((sample) => sample[index]));
  }

  /** @param {Sample} sample */
  add(sample) {
    const [times] = this.columns;
    const now = sample[0] ?? 0;
    if (now <= (times.at(-1) ?? -Infinity)) return;
    sample.forEach((value, index) => this.columns[index].push(value));
    const old = times.findIndex((time) => (time ?? 0) >= now - HOUR);
    if (old > 0) for (const column of this.columns) column.splice(0, old);
  }

  /**
   * The columns of `names`, after the time, of the last `seconds`.
   * @param {string[]} names
   * @param {number} seconds
   * @returns {import("../../vendor/uplot/uPlot.esm.js").default.AlignedData}
   */
  view(names, seconds) {
    const times = /** @type {number[]} */ (this.columns[0]);
    const last = times.at(-1) ?? 0;
    const begin = times.findIndex((time) => time >= last - seconds);
    /**
     * @template Value
     * @param {Value[]} column
     */
    const cut = (column) => (begin > 0 ? column.slice(begin) : column);
    return [cut(times), ...names.map((name) => cut(this.columns[this.fields.indexOf(name)]))];
  }
}

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/**
 * A time of day of the reader.
 * @param {number} seconds since 1970
 * @param {boolean} exact
 */
function clock(seconds, exact) {
  const date = new Date(seconds * 1000);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return exact ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/**
 * A piece of the line as it is drawn, for the legend: a CSS background.
 * @param {string} color
 * @param {number[]} stroke
 */
const piece = (color, [drawn, left]) =>
  drawn
    ? `repeating-linear-gradient(90deg, ${color} 0 ${drawn}px, transparent ${drawn}px ${drawn + left}px)`
    : `linear-gradient(${color}, ${color})`;

/** One chart. */
export class Chart {
  /** @param {{title: string, lines: Line[], height?: number}} content */
  constructor({ title, lines, height = HEIGHT }) {
    this.height = height;
    this.title = title;
    this.lines = lines;
    this.element = document.createElement("figure");
    this.element.className = "chart";
    this.caption = document.createElement("figcaption");
    this.caption.textContent = title;
    this.plotHost = document.createElement("div");
    this.plotHost.setAttribute("role", "img");
    this.element.append(this.caption, this.plotHost);
    /** @type {import("../../vendor/uplot/uPlot.esm.js").default.AlignedData} */
    this.data = [[], ...lines.map(() => [])];
    /** @type {uPlot | null} */
    this.plot = null;
    this.width = 0;
    new ResizeObserver(() => this.#resized()).observe(this.element);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"])
      matchMedia(query).addEventListener("change", () => this.#build());
  }

  /**
   * @param {Series} series
   * @param {number} seconds
   */
  show(series, seconds) {
    this.data = series.view(
      this.lines.map((line) => line.field),
      seconds,
    );
    this.plot?.setData(this.data);
    this.#idle();
    const last = this.lines.map((line, index) => {
      const value = this.data[index + 1].at(-1);
      return `${line.label} ${(line.format ?? figure)(value ?? null)}`;
    });
    this.plotHost.setAttribute("aria-label", `${this.title}: ${last.join(", ")}`);
  }

  // Nobody points at a moment: the legend says what is true now.
  #idle() {
    const { plot, data } = this;
    if (plot && data[0].length && (plot.cursor.left ?? -1) < 0) plot.setLegend({ idx: data[0].length - 1 }, false);
  }

  #resized() {
    const width = Math.floor(this.plotHost.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    if (this.plot) this.plot.setSize({ width, height: this.height });
    else this.#build();
  }

  #build() {
    if (!this.width) return;
    this.plot?.destroy();
    const style = getComputedStyle(this.element);
    /** @param {string} name */
    const token = (name) => style.getPropertyValue(name).trim();
    const ink = token("--ink-3");
    const grid = { stroke: token("--line"), width: 1 };
    const font = "12px 'Pretendard Variable', system-ui, sans-serif";
    const axis = { stroke: ink, font, grid, ticks: { show: false } };
    const format = this.lines[0].format ?? figure;
    this.plot = new uPlot(
      {
        width: this.width,
        height: this.height,
        padding: [8, 4, 0, 0],
        cursor: { y: false, points: { size: 6 } },
        legend: {
          live: true,
          markers: { width: 0, fill: (_plot, i) => piece(token(this.lines[i - 1].color), STROKES[i - 1]) },
        },
        hooks: { setCursor: [() => this.#idle()] },
        scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, Math.max(high ?? 0, 1) * 1.08] } },
        axes: [
          {
            ...axis,
            size: 26,
            space: 80,
            values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => clock(tick, step < 60)),
          },
          { ...axis, size: 52, space: 36, values: (_, ticks) => ticks.map((tick) => format(tick)) },
        ],
        series: [
          {
            value: (/** @type {uPlot} */ _plot, /** @type {number | null} */ value) =>
              value === null ? "" : clock(value, true),
            label: t("ops.audit.when"),
          },
          ...this.lines.map((line, i) => ({
            label: line.label,
            stroke: token(line.color),
            width: 2,
            dash: STROKES[i].map((length) => length * devicePixelRatio),
            spanGaps: true,
            points: { show: false },
            value: (/** @type {uPlot} */ _plot, /** @type {number | null} */ value) =>
              (line.format ?? figure)(value ?? null),
          })),
        ],
      },
      this.data,
      this.plotHost,
    );
    this.#idle();
  }
}

// The live page's charts: uPlot on the samples of the last hour and the figures of each second.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { t } from "../i18n.js";
import { figure } from "./format.js";

const HOUR = 3600;
const HEIGHT = 168;

/** Samples in columns, as uPlot takes them; at most an hour of them. */
export class Series {
  constructor(fields) {
    this.fields = fields;
    this.columns = fields.map(() => []);
  }

  /** Replaces everything. `samples` in the order of `fields`; the first field is the time in seconds. */
  load(samples) {
    this.columns = this.fields.map((_, index) => samples.map((sample) => sample[index]));
  }

  add(sample) {
    const times = this.columns[0];
    if (times.length && sample[0] <= times[times.length - 1]) return;
    sample.forEach((value, index) => this.columns[index].push(value));
    const old = times.findIndex((time) => time >= sample[0] - HOUR);
    if (old > 0) for (const column of this.columns) column.splice(0, old);
  }

  /** The columns of `names`, after the time, of the last `seconds`. */
  view(names, seconds) {
    const times = this.columns[0];
    const begin = times.length ? times.findIndex((time) => time >= times[times.length - 1] - seconds) : 0;
    const cut = (column) => (begin > 0 ? column.slice(begin) : column);
    return [cut(times), ...names.map((name) => cut(this.columns[this.fields.indexOf(name)]))];
  }
}

const two = (value) => String(value).padStart(2, "0");

/** A time of day of the reader, from seconds since 1970. */
function clock(seconds, exact) {
  const date = new Date(seconds * 1000);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return exact ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** One chart: `lines` are {field, label, color (a token), format?, dash?}. */
export class Chart {
  constructor({ title, lines }) {
    this.title = title;
    this.lines = lines;
    this.element = document.createElement("figure");
    this.element.className = "chart";
    this.caption = document.createElement("figcaption");
    this.caption.textContent = title;
    this.plotHost = document.createElement("div");
    this.plotHost.setAttribute("role", "img");
    this.element.append(this.caption, this.plotHost);
    this.data = [[], ...lines.map(() => [])];
    this.width = 0;
    new ResizeObserver(() => this.#resized()).observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#build());
  }

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
    if (this.plot) this.plot.setSize({ width, height: HEIGHT });
    else this.#build();
  }

  #build() {
    if (!this.width) return;
    this.plot?.destroy();
    const ink = token("--ink-3");
    const grid = { stroke: token("--line"), width: 1 };
    const font = "12px 'Pretendard Variable', system-ui, sans-serif";
    const axis = { stroke: ink, font, grid, ticks: { show: false } };
    const format = this.lines[0].format ?? figure;
    this.plot = new uPlot(
      {
        width: this.width,
        height: HEIGHT,
        padding: [8, 4, 0, 0],
        cursor: { y: false, points: { size: 6 } },
        legend: { live: true, markers: { width: 2 } },
        hooks: { setCursor: [() => this.#idle()] },
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.08] } },
        axes: [
          {
            ...axis,
            size: 26,
            space: 80,
            values: (_, ticks, axisIndex, space, step) => ticks.map((tick) => clock(tick, step < 60)),
          },
          { ...axis, size: 52, space: 36, values: (_, ticks) => ticks.map((tick) => format(tick)) },
        ],
        series: [
          { value: (_, value) => (value === null ? "" : clock(value, true)), label: t("ops.audit.when") },
          ...this.lines.map((line) => ({
            label: line.label,
            stroke: token(line.color),
            width: 2,
            dash: line.dash,
            spanGaps: true,
            points: { show: false },
            value: (_, value) => (line.format ?? figure)(value),
          })),
        ],
      },
      this.data,
      this.plotHost,
    );
    this.#idle();
  }
}

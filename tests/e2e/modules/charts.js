import { Chart, Series } from "/static/js/ops/charts.js";
import { same, that } from "./same.js";

/** What a chart of as many lines is drawn with, and the pieces of them in its legend. */
async function drawn(lines) {
  const fields = ["at", "one", "two", "three"].slice(0, lines + 1);
  const series = new Series(fields);
  series.load([1, 2, 3].map((at) => fields.map(() => at)));
  const chart = new Chart({
    title: "Chart",
    lines: fields.slice(1).map((field) => ({ field, label: field, color: "--ink" })), // all of one colour
  });
  chart.show(series, 60);
  document.body.append(chart.element);
  while (!chart.plot) await new Promise((resolve) => requestAnimationFrame(resolve));
  const dashes = chart.plot.series.slice(1).map(({ dash }) => dash.join());
  const pieces = [...chart.element.querySelectorAll(".u-marker")].slice(1).map(({ style }) => style.background);
  chart.element.remove();
  return { dashes, pieces };
}

// V2: who sees no colours tells the lines apart, and each is found in the legend as it is drawn.
export async function linesOfOneColourAreToldApart() {
  const { dashes, pieces } = await drawn(3);
  same([new Set(dashes).size, new Set(pieces).size], [3, 3]);
  dashes.forEach((dash, i) => that(pieces[i].startsWith("repeating-") === dash.length > 0, `${dash}: ${pieces[i]}`));
}

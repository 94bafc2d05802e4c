// On every page: times in the reader's own zone, and the print button.
const language = document.documentElement.lang;

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMATS = {
  full: { dateStyle: "full", timeStyle: "short" },
  short: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
};

/** @type {NodeListOf<HTMLTimeElement>} */
const times = document.querySelectorAll("time[data-local]");
for (const element of times) {
  element.textContent = new Intl.DateTimeFormat(language, FORMATS[element.dataset.local ?? "full"]).format(
    new Date(element.dateTime),
  );
}
/** @type {NodeListOf<HTMLTimeElement>} */
const parts = document.querySelectorAll("time[data-part]");
for (const element of parts) {
  const { part: name = "day" } = element.dataset;
  const part = { [name]: name === "day" ? "numeric" : "short" };
  // "24일" where a lone day has its counter: in the little calendar the figure is enough.
  element.textContent = new Intl.DateTimeFormat(language, part).format(new Date(element.dateTime)).replace(/일$/, "");
}
/** @type {NodeListOf<HTMLElement>} */
const printers = document.querySelectorAll("[data-print]");
for (const button of printers) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

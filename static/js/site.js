// On every page: times that are the reader's own in the reader's zone, and the print button.
const language = document.documentElement.lang;

/** @type {NodeListOf<HTMLTimeElement>} */
const times = document.querySelectorAll("time[data-local]");
for (const element of times) {
  const format = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });
  element.textContent = format.format(new Date(element.dateTime));
}
/** @type {NodeListOf<HTMLElement>} */
const printers = document.querySelectorAll("[data-print]");
for (const button of printers) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

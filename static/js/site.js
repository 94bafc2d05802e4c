// On every page: times in the reader's own zone, and the print button.
const language = document.documentElement.lang;

const FORMATS = {
  full: { dateStyle: "full", timeStyle: "short" },
  short: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
};

for (const element of document.querySelectorAll("time[data-local]")) {
  element.textContent = new Intl.DateTimeFormat(language, FORMATS[element.dataset.local]).format(
    new Date(element.dateTime),
  );
}
for (const element of document.querySelectorAll("time[data-part]")) {
  const part = { [element.dataset.part]: element.dataset.part === "day" ? "numeric" : "short" };
  // "24일" where a lone day has its counter: in the little calendar the figure is enough.
  element.textContent = new Intl.DateTimeFormat(language, part).format(new Date(element.dateTime)).replace(/일$/, "");
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

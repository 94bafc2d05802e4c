import { use } from "/static/js/i18n.js";
import { Returns } from "/static/js/returns.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { returns } from "/static/js/views/returns.js";
import { same, that, until } from "./same.js";

const EVENT = {
  name: "Night", time_zone: "Europe/Berlin", starts_at: "2030-05-01T18:00:00Z", max_seats: 4, categories: [{ name: "Near", price: 2 }],
};
const OFFER = { seats: [4, 5], until: "2030-04-20T20:10:00Z", amount: 4, currency: "EUR", take: "/", state: "open" };
const place = (state, offer = null) => ({ id: "p", state, count: 2, category: null, email: "wait@example.com", ahead: 0, offer });
const PLACES = [place("waiting"), place("offered", OFFER), place("lapsed", { ...OFFER, state: "lapsed" })];

const speak = async (language) => use(language, await (await fetch(`/static/i18n/${language}.json`)).json());

/** A box on the page whose answer is what the server has; `look()` asks. */
function page() {
  const answers = [];
  const state = () => ({ event: EVENT, ui: { email: "" } });
  const list = new Returns({ slug: "x", state, changed: () => list.draw(), opens: () => {}, storage: { getItem: () => null, setItem: () => {}, removeItem: () => {} } });
  list.api = { own: async () => ({ body: answers.at(-1) }) };
  document.body.append(list.box);
  return { list, look: (answer) => (answers.push(answer), list.look()) };
}

// V1: an offer comes by itself, and goes: what stands below the box stays where it is, in each language and size of type.
export async function whatComesByItselfHasItsRoom() {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/css/returns.css" });
  const base = Object.assign(document.createElement("style"), { textContent: ".not-any-more { visibility: hidden }" });
  const loaded = new Promise((resolve) => style.addEventListener("load", resolve));
  document.head.append(style, base);
  await loaded;
  const box = document.createElement("div");
  document.body.append(box);
  const shown = { event: EVENT, busy: false, failed: null, ended: true, email: "" };
  for (const language of ["en", "ko"]) {
    await speak(language);
    for (const [width, size] of [["300px", "16px"], ["500px", "16px"], ["330px", "32px"]]) {
      Object.assign(box.style, { width, fontSize: size });
      const heights = PLACES.map((one) => {
        render(returns({ ...shown, place: one }), box);
        return box.offsetHeight;
      });
      that(heights[0] > 100 && new Set(heights).size === 1, `${language}, ${width}: ${heights}`);
    }
  }
  for (const one of [box, style, base]) one.remove();
}

// V3: that an offer ran out is told where it stood, and who may not see it hears it; the form comes by a press.
export async function anOfferThatRunsOutSaysSo() {
  await speak("en");
  const { list, look } = page();
  const seen = (selector) =>
    [...list.box.querySelectorAll(selector)].filter((one) => !one.closest("[aria-hidden]")).map((one) => one.textContent.trim());
  await look(PLACES[1]);
  same(seen("h2"), ["Seats for you"]);
  await look(PLACES[2]);
  same([seen("h2"), seen("form")], [["Your offer has ended"], []]);
  await until(() => document.getElementById("live-polite").textContent.includes("Your offer has ended"));
  list.box.querySelector("[data-testid=list-again]").click();
  same([seen("form").length, document.activeElement.id], [1, "returns-count"]);
  // Who comes later finds the form.
  const { list: later, look: looks } = page();
  await looks(PLACES[2]);
  that(later.box.querySelector("form"), later.box.textContent);
  for (const one of [list.box, later.box]) one.remove();
}

// What is said of a section: its name, from what price, and what is left.
import { counted, money, t } from "./i18n.js";

/**
 * @param {Sale.Plan} plan
 * @param {() => string} currency
 * @returns {import("./seat_map/section_labels.js").Words}
 */
export function sectionWords(plan, currency) {
  const names = plan.zones.map((zone) => zone.name || t("list.hall"));
  const short = shortNames(names);
  const at = new Map(plan.zones.map((zone, i) => [zone.index, i]));
  const prices = new Set(plan.categories.map(({ price }) => price).filter((price) => price !== null));
  // A hundred sections have few prices: each is put into words once.
  const price = once((amount) => {
    const text = money(amount, currency());
    return prices.size > 1 ? t("section.from", { price: text }) : text;
  });
  const left = once((count) => counted("seats.free", count));
  return ({ zone, free, from, marks, category }) => {
    const i = at.get(zone.index) ?? 0;
    const said = { name: names[i], short: short[i] };
    if (free === 0 || from === null) return { ...said, from: "", free: t("section.none"), letters: "", letter: "" };
    const letters = marks.join(", ");
    const letter = plan.marks[category];
    return { ...said, from: letters ? `${letters}: ${price(from)}` : price(from), free: left(free), letters, letter };
  };
}

/**
 * @param {(value: number) => string} words
 * @returns {(value: number) => string}
 */
function once(words) {
  /** @type {Map<number, string>} */
  const said = new Map();
  return (value) => {
    let text = said.get(value);
    if (text === undefined) said.set(value, (text = words(value)));
    return text;
  };
}

/**
 * What tells each name from the others: "108" of "Block 108", where most begin with the same word and go on shortly.
 * @param {string[]} names
 * @returns {string[]}
 */
export function shortNames(names) {
  /** @type {Map<string, number>} */
  const first = new Map();
  const cut = names.map((name) => /^(\S+)\s+(\S{1,4})$/.exec(name));
  for (const parts of cut) if (parts) first.set(parts[1], (first.get(parts[1]) ?? 0) + 1);
  const seen = new Set();
  return names.map((name, i) => {
    const parts = cut[i];
    if (!parts || (first.get(parts[1]) ?? 0) < 3 || seen.has(parts[2])) return name;
    seen.add(parts[2]);
    return parts[2];
  });
}

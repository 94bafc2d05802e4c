// What buyers read of an event: the rule for its texts, as in core/venue/event_name.py. No page in here.

/** Text -> how many characters it may have, spaces at the ends not counted. */
const MOST = { name: 200, venue: 200, address: 300, description: 5000 };
const MOST_PART = 60;
/** @typedef {keyof typeof MOST} Text */
/** @type {Text[]} */
export const TEXTS = ["name", "venue", "address", "description"];

const REFUSED = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
/** A description has lines, and tabs in them. */
const REFUSED_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const SEEN = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;

/**
 * What is wrong, as `ops.field.wrong.` has it: "character:U+202E:4" with the character and its place, of a description
 * "character_line:U+202E:4:2" with the line as well; "long:200" with what is allowed; "name" for one that cannot be seen;
 * null when nothing is wrong.
 * @param {Text} name
 * @param {string} typed
 */
export function faultOfText(name, typed) {
  const lines = name === "description";
  const text = lines ? typed.replace(/\r\n?/g, "\n").trim() : typed;
  const found = (lines ? REFUSED_IN_LINES : REFUSED).exec(text);
  if (found) {
    const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const before = text.slice(0, found.index).split("\n");
    const place = [...(before.at(-1) ?? "")].length + 1;
    return before.length > 1 ? `character_line:U+${code}:${place}:${before.length}` : `character:U+${code}:${place}`;
  }
  if (name === "name" && !SEEN.test(text)) return "name";
  return [...text.trim()].length > MOST[name] ? `long:${MOST[name]}` : null;
}

/**
 * Whether a part of a sale, or a group of codes, can have this name.
 * @param {string} name
 */
export const isPartName = (name) =>
  !REFUSED.test(name) && SEEN.test(name) && !name.includes(";") && [...name].length <= MOST_PART;

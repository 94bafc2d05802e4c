// The map's colours: the page's own (CSS custom properties, so light and dark come for free) and the categories',
// moved just far enough from the background to be seen on it.

const NAMES = /** @type {const} */ ([
  "map",
  "ink",
  "ink-2",
  "ink-3",
  "line",
  "line-strong",
  "surface",
  "accent",
  "on-accent",
  "warn",
  "bad",
]);
const CONTRAST = 3; // WCAG 2.2 SC 1.4.11: graphics that carry meaning

const SOFT = 0.3; // of a category's colour where it is the ground of words

/** @typedef {{fill: string, text: string, soft: string}} Fill a category's colour, what is readable on it, and its pale tone; CSS colours */
/** @typedef {Record<typeof NAMES[number], string>} Tones CSS colours */
/** @typedef {Tones & {font: string, dark: boolean, categories: Fill[]}} Theme */
/** @typedef {number[]} Rgb three channels, 0 to 255 */

/**
 * @param {Element} element
 * @param {{color: string}[]} categories
 * @returns {Theme}
 */
export function readTheme(element, categories) {
  const style = getComputedStyle(element);
  const tones = /** @type {Tones} */ (
    Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]))
  );
  const ground = parse(tones.map);
  // The visitor's own few colours: marks, letters and patterns say the rest.
  const forced = matchMedia("(forced-colors: active)").matches;
  const fills = categories.map(({ color }) => {
    if (forced) return { fill: tones.ink, text: tones.map, soft: tones.map };
    const fill = apart(parse(color), ground);
    return { fill: css(fill), text: css(readableOn(fill)), soft: css(mixed(fill, ground, SOFT)) };
  });
  return { ...tones, font: style.fontFamily, dark: luminance(ground) < 0.2, categories: fills };
}

/**
 * A category's colour for a swatch in the page.
 * @param {string} color
 * @param {Element} element
 */
export function swatch(color, element) {
  return css(swatchColor(color, element));
}

/**
 * The same with the colour of a letter on it: custom properties of an element.
 * @param {string} color
 * @param {Element} element
 */
export function swatchStyle(color, element) {
  const fill = swatchColor(color, element);
  return `--swatch: ${css(fill)}; --swatch-ink: ${css(readableOn(fill))}`;
}

/**
 * @param {string} color
 * @param {Element} element
 */
function swatchColor(color, element) {
  const ground = parse(getComputedStyle(element).getPropertyValue("--surface").trim());
  return apart(parse(color), ground);
}

const WHITE = [255, 255, 255];
const BLACK = [17, 19, 24];

const probe = document.createElement("canvas");
probe.width = 1;
probe.height = 1;
const pen = /** @type {CanvasRenderingContext2D} */ (probe.getContext("2d", { willReadFrequently: true }));

/**
 * @param {string} color
 * @returns {Rgb}
 */
function parse(color) {
  pen.fillStyle = "#777777";
  pen.fillStyle = color; // what is no colour leaves the grey
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

/** @param {Rgb} fill */
const readableOn = (fill) => (ratio(fill, WHITE) >= 4.5 ? WHITE : BLACK);

/**
 * @param {Rgb} color
 * @param {Rgb} ground
 * @param {number} part of the colour
 */
const mixed = (color, ground, part) => color.map((channel, i) => Math.round(channel * part + ground[i] * (1 - part)));

/**
 * @param {Rgb} color
 * @param {Rgb} ground
 */
function apart(color, ground) {
  const towards = luminance(ground) < 0.2 ? WHITE : BLACK;
  let best = color;
  for (let part = 0; part <= 0.9 && ratio(best, ground) < CONTRAST; part += 0.06) {
    best = color.map((channel, i) => Math.round(channel + (towards[i] - channel) * part));
  }
  return best;
}

/** @param {Rgb} rgb */
function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/**
 * @param {Rgb} a
 * @param {Rgb} b
 */
function ratio(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** @param {Rgb} rgb */
const css = (rgb) => `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`;

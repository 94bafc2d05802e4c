// The map's colours: the page's own (CSS custom properties, so light and dark come for free) and the categories',
// moved just far enough from the background to be seen on it.

const NAMES = ["map", "ink", "ink-2", "ink-3", "line", "line-strong", "surface", "accent", "on-accent", "warn", "bad"];
const CONTRAST = 3; // WCAG 2.2 SC 1.4.11: graphics that carry meaning

export function readTheme(element, categories) {
  const style = getComputedStyle(element);
  const theme = { font: style.fontFamily };
  for (const name of NAMES) theme[name] = style.getPropertyValue(`--${name}`).trim();
  const ground = parse(theme.map);
  theme.dark = luminance(ground) < 0.2;
  theme.categories = categories.map(({ color }) => {
    const fill = apart(parse(color), ground);
    const text = ratio(fill, WHITE) >= 3.6 ? WHITE : BLACK;
    return { fill: css(fill), text: css(text) };
  });
  return theme;
}

/** A category's colour for a swatch in the page. */
export function swatch(color, element) {
  const ground = parse(getComputedStyle(element).getPropertyValue("--surface").trim());
  return css(apart(parse(color), ground));
}

const WHITE = [255, 255, 255];
const BLACK = [17, 19, 24];

const probe = document.createElement("canvas");
probe.width = 1;
probe.height = 1;
const pen = probe.getContext("2d", { willReadFrequently: true });

function parse(color) {
  pen.fillStyle = "#777777";
  pen.fillStyle = color; // what is no colour leaves the grey
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function apart(color, ground) {
  const towards = luminance(ground) < 0.2 ? WHITE : BLACK;
  let best = color;
  for (let part = 0; part <= 0.9 && ratio(best, ground) < CONTRAST; part += 0.06) {
    best = color.map((channel, i) => Math.round(channel + (towards[i] - channel) * part));
  }
  return best;
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const css = (rgb) => `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`;

/** Throws unless both are the same as JSON. */
export function same(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`is ${a}\nnot ${b}`);
}

export function that(truth, what) {
  if (!truth) throw new Error(`not true: ${what}`);
}

/** Throws unless both are the same as JSON. */
export function same(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`is ${a}\nnot ${b}`);
}

export function that(truth, what) {
  if (!truth) throw new Error(`not true: ${what}`);
}

/** Waits until `truth()`, a minute at most. */
export async function until(truth) {
  for (const end = performance.now() + 60000; !truth(); ) {
    if (performance.now() > end) throw new Error(`never true: ${truth}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// What is made of something is made again only when that has changed: a second that passes draws the clocks, and nothing
// that no clock moves. Pure.

/**
 * Answers what was made last for as long as each field it is made of is the same; lit-html then has nothing to do there.
 * What changes in place is no field to be made of: what is asked of it is.
 * @template {object} Of
 * @template Made
 * @param {(of: Of) => Made} make
 * @returns {(of: Of) => Made}
 */
export function kept(make) {
  /** @type {{of: Of, made: Made} | null} */
  let last = null;
  return (of) => {
    if (last === null || !isSame(last.of, of)) last = { of, made: make(of) };
    return last.made;
  };
}

/**
 * Whether both have the same in every field, and no others; of `but` it does not matter. Asked in the middle of a pinch:
 * it makes nothing.
 * @param {any} one
 * @param {any} other
 */
export function isSame(one, other, but = "") {
  for (const name in one) if (name !== but && !Object.is(one[name], other[name])) return false;
  for (const name in one) if (!Object.hasOwn(other, name)) return false;
  for (const name in other) if (!Object.hasOwn(one, name)) return false;
  return true;
}

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
 * @param {object} one
 * @param {object} other
 */
function isSame(one, other) {
  const fields = Object.entries(one);
  const others = new Map(Object.entries(other));
  /** @param {[string, unknown]} field */
  const isSameField = ([name, value]) => others.has(name) && Object.is(value, others.get(name));
  return fields.length === others.size && fields.every(isSameField);
}

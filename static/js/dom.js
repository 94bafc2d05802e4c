// What a page's template has for sure.

/**
 * The element of this id; the template that loads the module has one.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

// Price categories: a letter beside each colour, so that nothing is said by colour alone (V2).

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * A letter for each category, in the legend's order; "" for what is not for sale, and for all where there is only one
 * to be had: nothing has to be told apart there.
 * @param {{price: number | null}[]} categories
 * @returns {string[]}
 */
export function marks(categories) {
  const sold = categories.filter(({ price }) => price !== null);
  if (sold.length < 2) return categories.map(() => "");
  return categories.map((category) => {
    const at = sold.indexOf(category);
    if (at < 0) return "";
    return LETTERS[at] ?? String(at + 1);
  });
}

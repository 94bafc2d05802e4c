// The hands of the page's clocks: what a second that passes changes, and nothing else does. A second sets them where they
// stand, and puts no view together for it: not in the middle of a pinch (V1).
import { noChange } from "../../vendor/lit-html/lit-html.js";
import { Directive, directive } from "../../vendor/lit-html/directive.js";

/** @typedef {(state: any) => string} Says */
/** @typedef {{node: Node, says: Says, set: (text: string) => void}} Hand */

/** Those that were drawn. Pages have a few of them. @type {Set<Hand>} */
const hands = new Set();

/**
 * `hand(state, says)` in a template, as content or as a whole attribute: what `says` of the state, and with each second
 * anew.
 */
export const hand = directive(
  class extends Directive {
    /** @type {Hand | null} */
    hand = null;

    /**
     * @override
     * @param {any} state
     * @param {Says} says
     */
    render(state, says) {
      return says(state);
    }

    /**
     * @override
     * @param {import("../../vendor/lit-html/directive.js").Part} part
     * @param {[any, Says]} drawn
     */
    update(part, [state, says]) {
      this.hand ??= "name" in part ? ofAttribute(part.element, part.name) : ofText();
      this.hand.says = says;
      hands.add(this.hand);
      this.hand.set(says(state));
      return "name" in part ? noChange : this.hand.node;
    }
  },
);

/** Time has passed. @param {any} state */
export function setHands(state) {
  for (const one of hands) {
    if (one.node.isConnected) one.set(one.says(state));
    else hands.delete(one); // the view is another one
  }
}

/** @returns {Hand} */
function ofText() {
  const node = document.createTextNode("");
  return {
    node,
    says: String,
    set(text) {
      if (node.data !== text) node.data = text;
    },
  };
}

/**
 * @param {Element} node
 * @param {string} name
 * @returns {Hand}
 */
function ofAttribute(node, name) {
  return {
    node,
    says: String,
    set(text) {
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    },
  };
}

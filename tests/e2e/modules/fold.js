import { fold } from "/static/js/ops/parts.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same } from "./same.js";

// V4: a part of the console opens when it begins to alarm, and is never folded under the operator's finger.
export function anAlarmOpensAndNothingFolds() {
  const box = document.createElement("div");
  const draw = (alarming) => {
    render(fold("controls", "Controls", "", { alarming }), box);
    return details.open;
  };
  render(fold("controls", "Controls", ""), box);
  const details = box.querySelector("details");
  details.open = false;
  same([draw(false), draw(true), draw(false)], [false, true, true]);
  details.open = false;
  same([draw(false), draw(true)], [false, true]);
  details.open = false;
  same(draw(true), false);
}

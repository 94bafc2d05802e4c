import { fold } from "/static/js/ops/parts.js";
import { render } from "/static/vendor/lit-html/lit-html.js";
import { same } from "./same.js";

// V1, V4: a part of the console that alarms is open when it is first drawn; later its line says so, and nothing opens or
// folds under the operator's eyes.
export function anAlarmIsSaidAndOpensNothing() {
  const drawn = (alarming, box = document.createElement("div")) => {
    render(fold("controls", "Controls", "", { alarming, open: false }), box);
    const { open, dataset } = box.querySelector("details");
    return [open, dataset.level];
  };
  same(drawn(true), [true, "warn"]);
  const box = document.createElement("div");
  same([drawn(false, box), drawn(true, box), drawn(false, box)], [[false, ""], [false, "warn"], [false, ""]]);
  box.querySelector("details").open = true;
  same([drawn(true, box), drawn(false, box)], [[true, "warn"], [true, ""]]);
}

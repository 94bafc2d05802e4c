import { hand, setHands } from "/static/js/views/hands.js";
import { html, nothing, render } from "/static/vendor/lit-html/lit-html.js";
import { same } from "./same.js";

/** A clock in the page, drawn for a state; `made` counts how often it was put together. */
function clock() {
  document.querySelector("#clock")?.remove(); // another test's
  const box = document.body.appendChild(Object.assign(document.createElement("div"), { id: "clock" }));
  const made = { times: 0 };
  const says = (state) => `${state.left} left`;
  const draw = (state, on = true) => {
    made.times += 1;
    const ring = (now) => `${now.left} 100`;
    render(on ? html`<p title=${hand(state, ring)}>Kept: <b>${hand(state, says)}</b></p>` : nothing, box);
  };
  const seen = () => [box.querySelector("b").textContent, box.querySelector("p").title];
  return { box, made, draw, seen };
}

// V1: a second in the middle of a pinch sets what the clocks show, and puts no view together.
export function aSecondSetsTheHandsAndNothingElse() {
  const { made, draw, seen } = clock();
  draw({ left: 60 });
  same(seen(), ["60 left", "60 100"]);
  setHands({ left: 59 });
  same([seen(), made.times], [["59 left", "59 100"], 1]);
}

// The seats are kept for longer: the clock shows what the view showed when it was drawn last.
export function aViewThatIsDrawnAgainSaysWhatItSays() {
  const { draw, seen } = clock();
  draw({ left: 60 });
  setHands({ left: 59 });
  draw({ left: 60 });
  same(seen(), ["60 left", "60 100"]);
  setHands({ left: 58 });
  same(seen(), ["58 left", "58 100"]);
}

export function aClockThatHasGoneIsNotAskedAgainAndMayComeBack() {
  const { draw, seen } = clock();
  draw({ left: 60 });
  draw({ left: 60 }, false);
  let asked = 0;
  setHands({ get left() { return (asked += 1); } });
  same(asked, 0);
  draw({ left: 30 });
  setHands({ left: 29 });
  same(seen(), ["29 left", "29 100"]);
}

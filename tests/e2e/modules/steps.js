import { Steps } from "/static/js/steps.js";
import { initial } from "/static/js/state.js";
import { createStore } from "/static/js/store.js";
import { same } from "./same.js";

const WELCOME = { type: "welcome", state: "active", now: "2030-01-01T00:00:00Z", beat_seconds: 5 };
const HELD = { type: "held", seats: [3], until: "2030-01-01T00:05:00Z", fence: 1, extensions_left: 1 };

/** A history of its own: the page that runs these tests keeps hers. */
function past(first = null) {
  const entries = [first];
  let at = 0;
  return {
    entries,
    get state() {
      return entries[at];
    },
    pushState(state) {
      entries.splice(at + 1, entries.length, state);
      at += 1;
    },
    replaceState(state) {
      entries[at] = state;
    },
    back() {
      at -= 1;
      dispatchEvent(new PopStateEvent("popstate"));
    },
  };
}

function page(history) {
  const store = createStore(initial({ slug: "s", ticket: "t", email: "" }));
  const shown = [];
  const sections = [];
  const steps = new Steps({ store, history, onList: (...where) => shown.push(where), onSection: (zone) => sections.push(zone) });
  let before = store.state;
  const tell = (action) => {
    store.dispatch(action);
    for (let state = store.state; state !== before; state = store.state) {
      const was = before;
      before = state;
      steps.follow(was, state);
    }
  };
  return { store, steps, tell, shown, sections };
}

export function backFromTheFormIsTheMap() {
  const history = past();
  const { store, tell } = page(history);
  tell(WELCOME);
  tell(HELD);
  tell({ type: "step", step: "checkout" });
  same(history.entries, [null, { step: "checkout" }]);
  history.back();
  same([store.state.step, store.state.basket.seats], ["map", [3]]);
}

export function aFormThatEndedByItselfIsNothingToComeBackTo() {
  const history = past();
  const { tell } = page(history);
  tell(WELCOME);
  tell(HELD);
  tell({ type: "step", step: "checkout" });
  tell({ type: "expired", reason: "hold" });
  same(history.state, { step: "map" });
}

export function aReloadInTheFormComesBackToIt() {
  const { store, tell } = page(past({ step: "checkout" }));
  tell(WELCOME);
  same(store.state.step, "map");
  tell(HELD);
  same(store.state.step, "checkout");
}

export function aReloadWhoseSeatsAreGoneShowsTheMap() {
  const history = past({ step: "checkout" });
  const { store, tell } = page(history);
  tell(WELCOME);
  tell({ type: "board" });
  same([store.state.step, history.state.step], ["map", "map"]);
}

export function theListGoesBackOneLevelAndIsKeptOverAReload() {
  const history = past();
  const { steps, shown, tell } = page(history);
  tell({ type: "mode", mode: "list" });
  steps.list(2, null);
  steps.list(2, 17);
  history.back();
  history.back();
  same(shown, [[2, null], [null, null]]);
  const again = page(past({ mode: "list", list: [2, 17] }));
  same([again.store.state.ui.mode, again.steps.listed], ["list", [2, 17]]);
}

// V3: who has tapped a section comes back to the hall by Back, and not to the page before.
export function aSectionOfTheMapIsAStep() {
  const history = past();
  const { steps, sections } = page(history);
  steps.zoomed(null); // it is the whole hall already
  steps.zoomed(4);
  steps.zoomed(6); // another one, without the hall between
  same([history.entries, sections], [[null, { section: 6, opened: true }], []]);
  history.back();
  same([sections, history.state], [[null], null]);
  steps.zoomed(2);
  steps.zoomed(null); // by the button that shows the whole hall
  same([history.state, sections], [null, [null]]);
  same(page(past({ section: 3 })).steps.section, 3);
}

// V3: an entry of the list has the section too; one press shows the whole hall, and Back does not lead nowhere.
export function fromTheListOfASectionOnePressShowsTheWholeHall() {
  const history = past();
  const { steps, sections, tell } = page(history);
  steps.zoomed(4);
  tell({ type: "mode", mode: "list" });
  steps.list(4, null);
  steps.list(4, 17);
  tell({ type: "mode", mode: "map" });
  steps.zoomed(null);
  same([steps.section, sections], [null, []]);
  same(history.state, { section: null, mode: "map", list: [4, 17] });
  steps.zoomed(6); // a section that is opened from there is a step again
  steps.zoomed(null);
  same([history.state.section, sections, history.entries.length], [null, [], 5]);
  history.back();
  same(sections, [4]);
}

// V3: the form's entry stays when the seats go, and shows the section then.
export function afterAnExpiredFormOnePressShowsTheWholeHall() {
  const history = past();
  const { steps, sections, tell } = page(history);
  steps.zoomed(4);
  tell(WELCOME);
  tell(HELD);
  tell({ type: "step", step: "checkout" });
  tell({ type: "expired", reason: "hold" });
  same(history.state, { section: 4, step: "map" });
  steps.zoomed(null);
  same([steps.section, sections, history.state], [null, [], { section: null, step: "map" }]);
}

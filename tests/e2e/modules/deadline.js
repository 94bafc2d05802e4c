import { deadline, isUrgent, moreTimeAdds } from "/static/js/deadline.js";
import { same } from "./same.js";

const state = ({ seats = [1], until = 300000, extensionsLeft = 1, turn = 600000, now = 0 } = {}) => ({
  basket: { seats, until: seats.length ? until : null, extensionsLeft, fence: 1 },
  session: turn === null ? null : { until: turn, warningSeconds: 90 },
  local: now,
  offset: 0,
});

export function theEarlierOfSeatsAndTurnIsTheOneClock() {
  same(deadline(state()), { until: 300000, of: "seats" });
  same(deadline(state({ turn: 200000 })), { until: 200000, of: "turn" });
  same(deadline(state({ seats: [] })), { until: 600000, of: "turn" });
  same(deadline(state({ turn: null })), { until: 300000, of: "seats" });
  same(deadline(state({ seats: [], turn: null })), null);
  // A hold ends with the turn at the latest: what ends then is the turn.
  same(deadline(state({ until: 600000 })).of, "turn");
}

export function eachIsSaidInItsOwnTime() {
  const near = (now, more) => { const one = state({ now, ...more }); return isUrgent(one, deadline(one)); };
  same([near(239000), near(240000)], [false, true]);
  same([near(509000, { seats: [] }), near(510000, { seats: [] })], [false, true]);
}

// V3: "more time" only where it adds some.
export function moreTimeIsOfferedOnlyWhereItAdds() {
  same(moreTimeAdds(state()), true);
  same(moreTimeAdds(state({ extensionsLeft: 0 })), false);
  same(moreTimeAdds(state({ until: 600000 })), false);
  same(moreTimeAdds(state({ until: 595000 })), false);
  same(moreTimeAdds(state({ seats: [] })), false);
}

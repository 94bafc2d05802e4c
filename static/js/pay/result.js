// Looks until the payment has ended; at each step the server draws the page anew, in words and with the right buttons.
import { call } from "../api.js";
import { tellInBar } from "../banner.js";
import { byId } from "../dom.js";
import { OutageWatch } from "../outage_watch.js";

const LOOK_EVERY = [1000, 1000, 2000, 3000, 5000]; // milliseconds
const TIMEOUT = 15000; // milliseconds: without an answer it is looked again

const shown = byId("content").dataset;
let looks = 0;

async function look() {
  try {
    const { body } = await call("GET", String(shown.again), { timeout: TIMEOUT });
    if (body.status !== shown.status || body.state !== shown.state || (body.reason ?? "") !== shown.reason) {
      location.replace(String(shown.again));
      return;
    }
  } catch {
    // Asked again below.
  }
  looks += 1;
  setTimeout(look, LOOK_EVERY[Math.min(looks, LOOK_EVERY.length - 1)]);
}

setTimeout(look, LOOK_EVERY[0]);

// Whatever is away: the payment is looked after.
new OutageWatch({ changed: (kind) => tellInBar(kind === "over" ? null : kind, shown.interrupted) }).start();

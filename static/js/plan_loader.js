// Gets an event's plan: in a worker, or in the page where there is none.
import { call } from "./api.js";
import { Plan } from "./plan.js";
import { fromColumns } from "./plan_columns.js";

const PATIENCE = 60000; // milliseconds: 100 kB may take a while on a bad line

/**
 * Rejects when the plan does not come; asking again is the caller's.
 * @param {string} slug
 * @param {string} version the event's `plan_version`: what is asked for by it is kept by the browser for ever
 * @param {string} script the address of plan_worker.js
 * @returns {Promise<Plan>}
 */
export async function loadPlan(slug, version, script) {
  const url = `/api/events/${encodeURIComponent(slug)}/plan/columns?v=${encodeURIComponent(version)}`;
  const parts = await inWorker(new URL(url, location.href).href, script);
  if (parts) return new Plan(parts);
  const { body } = await call("GET", url, { timeout: PATIENCE });
  return new Plan(fromColumns(body));
}

/**
 * Null where a worker cannot do it; what is wrong with the network the page finds out as well.
 * @param {string} url
 * @param {string} script
 * @returns {Promise<import("./plan_columns.js").Parts | null>}
 */
function inWorker(url, script) {
  return new Promise((resolve) => {
    /** @type {Worker} */
    let worker;
    try {
      worker = new Worker(script, { type: "module" });
    } catch {
      resolve(null);
      return;
    }
    /** @param {import("./plan_columns.js").Parts | null} parts */
    const done = (parts) => {
      clearTimeout(late);
      worker.terminate();
      resolve(parts);
    };
    const late = setTimeout(() => done(null), PATIENCE);
    worker.addEventListener("message", ({ data }) => done(data.parts ?? null));
    worker.addEventListener("error", () => done(null));
    worker.postMessage(url);
  });
}

// Gets an event's plan, which is read in a worker: 60,000 seats take a phone a third of a second, in which nothing would
// move. Where there is no worker the page reads it.
import { NoAnswer } from "./api.js";
import { Plan } from "./plan.js";
import { fromColumns } from "./plan_columns.js";

const PATIENCE = 60000; // milliseconds: 100 kB may take a while on a bad line

/** @typedef {import("./plan_columns.js").PlanArrays} PlanArrays */

export class PlanLoader {
  /**
   * @param {string} slug
   * @param {string} script the address of plan_worker.js
   */
  constructor(slug, script) {
    this.path = `/api/events/${encodeURIComponent(slug)}/plan/columns`;
    this.script = script;
    /** @type {{version: string, parts: Promise<PlanArrays>} | null} */
    this.coming = null;
  }

  /**
   * What will be wanted in a moment comes while the page is made.
   * @param {string} version
   */
  ahead(version) {
    this.coming = { version, parts: this.#parts(version) };
    this.coming.parts.catch(() => {}); // told to who asks for it
  }

  /**
   * Rejects when the plan does not come; asking again is the caller's.
   * @param {string} version the event's `plan_version`: what is asked for by it is kept by the browser for ever
   * @returns {Promise<Plan>}
   */
  async load(version) {
    const { coming } = this;
    this.coming = null;
    return new Plan(await (coming?.version === version ? coming.parts : this.#parts(version)));
  }

  /**
   * @param {string} version
   * @returns {Promise<PlanArrays>}
   */
  async #parts(version) {
    const reader = new Reader(this.script); // its script comes with the plan, and not after it
    try {
      const bytes = await bytesOf(`${this.path}?v=${encodeURIComponent(version)}`);
      return (await reader.read(bytes)) ?? fromColumns(JSON.parse(new TextDecoder().decode(bytes)));
    } finally {
      reader.end();
    }
  }
}

/**
 * As templates/sale.html preloads it, so that it comes once.
 * @param {string} url
 */
async function bytesOf(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new NoAnswer(`HTTP ${answer.status}`);
  return answer.arrayBuffer();
}

/** plan_worker.js, for one plan. */
class Reader {
  /** @param {string} script */
  constructor(script) {
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {(parts: PlanArrays | null) => void} */
    this.done = () => {};
    /** @type {Promise<PlanArrays | null>} */
    this.parts = new Promise((resolve) => {
      this.done = resolve;
    });
    try {
      this.worker = new Worker(script, { type: "module" });
    } catch {
      this.done(null);
      return;
    }
    this.worker.addEventListener("message", ({ data }) => this.done(data.parts ?? null));
    this.worker.addEventListener("error", () => this.done(null));
  }

  /**
   * Null where a worker cannot do it.
   * @param {ArrayBuffer} bytes copied, not handed over: the page reads them where the worker cannot
   */
  read(bytes) {
    setTimeout(() => this.done(null), PATIENCE);
    this.worker?.postMessage(bytes);
    return this.parts;
  }

  end() {
    this.worker?.terminate();
  }
}

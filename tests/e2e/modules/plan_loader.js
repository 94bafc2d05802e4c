import { PlanLoader } from "/static/js/plan_loader.js";
import { same, that } from "./same.js";

const WORKER = "/static/js/plan_worker.js";
/** Two seats in a row, as docs/plan-columns.md says. */
const COLUMNS = {
  format: 1, name: "Hall", width: 100, height: 20, unit: 0.5, seats: 2, zones: ["A"], areas: [], rows: ["1"], numbers: ["1", "2"],
  categories: [{ name: "Near", color: "#00aa00", price: 2 }],
  lines: { zone: [0], row: [0], seats: [2] }, row_labels: { text: [], x: [], y: [] },
  x: [0, 40], y: [0, 0], radius: [16, 2], category: [0, 2], number: [0, 1], accessible: [1],
};

/** Runs `test` where plans are answered by `answer(url)`; the addresses that were asked for. */
async function asked(answer, test) {
  const real = window.fetch;
  const urls = [];
  window.fetch = (url) => {
    urls.push(url);
    return answer(url);
  };
  try {
    await test();
  } finally {
    window.fetch = real;
  }
  return urls;
}

const found = async () => new Response(JSON.stringify(COLUMNS));
const seats = (plan) => [plan.size, ...plan.x, plan.numberOf(1), plan.accessible[1], plan.tree !== null];

// V1: what is asked for ahead is not asked for again, unless it is another plan by now.
export async function thePlanComesOnceAndAhead() {
  const urls = await asked(found, async () => {
    const plans = new PlanLoader("a b", WORKER);
    plans.ahead("v1");
    same(seats(await plans.load("v1")), [2, 0, 20, "2", 1, true]);
    plans.ahead("v1");
    await plans.load("v2");
  });
  same(urls, ["v1", "v1", "v2"].map((version) => `/api/events/a%20b/plan/columns?v=${version}`));
}

export async function whereNoWorkerReadsThePageDoes() {
  await asked(found, async () => {
    const read = await new PlanLoader("x", "/static/js/no-such-worker.js").load("v1");
    same(seats(read), [2, 0, 20, "2", 1, false]);
    const real = window.Worker;
    window.Worker = undefined;
    try {
      same((await new PlanLoader("x", WORKER).load("v1")).size, 2);
    } finally {
      window.Worker = real;
    }
  });
}

export async function whatDoesNotComeIsTold() {
  let thrown = 0;
  await asked(async () => new Response("", { status: 503 }), async () => {
    const plans = new PlanLoader("x", WORKER);
    plans.ahead("v1");
    await plans.load("v1").catch(() => (thrown += 1));
    await plans.load("v1").catch(() => (thrown += 1));
  });
  that(thrown === 2, "who asks is told, each time");
}

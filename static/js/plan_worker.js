// Fetches and reads a plan beside the page: 60,000 seats take a phone a third of a second, in which nothing would move.
import { buffers, fromColumns } from "./plan_columns.js";
import { treeOf } from "./seat_map/seat_index.js";

self.addEventListener("message", async ({ data: url }) => {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(60000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const parts = fromColumns(await answer.json());
    parts.tree = treeOf(parts);
    self.postMessage({ parts }, { transfer: buffers(parts) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
});

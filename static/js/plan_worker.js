// Reads a plan beside the page (plan_loader.js).
import { buffers, fromColumns } from "./plan_columns.js";
import { buffersOfMeasures, measuresOf } from "./plan_measures.js";
import { treeOf } from "./seat_map/seat_index.js";

self.addEventListener("message", ({ data: bytes }) => {
  try {
    const parts = fromColumns(JSON.parse(new TextDecoder().decode(bytes)));
    parts.tree = treeOf(parts);
    parts.measures = measuresOf(parts);
    self.postMessage({ parts }, { transfer: [...buffers(parts), ...buffersOfMeasures(parts.measures)] });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
});

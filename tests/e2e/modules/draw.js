import { differences, receiptOf, rootOf } from "/static/js/draw/verify.js";
import { Entry } from "/static/js/entry.js";
import { same, that } from "./same.js";

// Made by core/waiting_room/draw.py; tests/e2e/test_draw.py holds the two together on a draw of a running server.
const KNOWN = {
  "draw": {
    "algorithm": "onsale-draw-1",
    "commitment": "a7e130694166cdb95b1e1bbce3f21e4dbd63f46df42b48c5a1f8295033d57d04",
    "seed": "19b25856e1c150ca834cffc8b59b23adbd0ec0389e58eb22b3b64768098d002b",
    "root": "a3e78c3cb4a6ebb46bae5ac01f13e2dc9536df3175c6e55273c88e0c9c197c0b",
    "count": 6,
    "beacon": null
  },
  "entries": [
    "b7d60e6311635a95aa6cb8a17ba7d20b7c000afedf5db7cd1db8a4f0c1996b37",
    "0d7172dd5c75710d2875f3c0424050103c1732a7d60cc7c4ac4a3c1da204774c",
    "6eaa05933cab3cd66bc4e24a5232bc825563a8cd2489ed926c6da4735bb702aa",
    "73d935ce9d165e381c46ad1ee3982ce526168d158612d99bd4bd9bf5e5c1cb1b",
    "590f62b7bdfec99378b10ceef10dba8ab2c074bdbcc2d36570cf4f5ae228dee6",
    "d28979be14d7d0e6e7a1f54fbaba669f578ef40df8be126980a1200eb37a4eff"
  ],
  "nonce": "820d5d8baf762ec66dcd56fed15c78bf",
  "salt": "ec18eac8d758b1eba52d3c10d39adc6d",
  "receipt": "6eaa05933cab3cd66bc4e24a5232bc825563a8cd2489ed926c6da4735bb702aa"
};

export async function aDrawThatWasMadeByTheServerHolds() {
  const seen = [];
  same(await differences(KNOWN.draw, KNOWN.entries, (done) => seen.push(done)), []);
  same(seen.at(-1), KNOWN.entries.length);
  same(await rootOf([...KNOWN.entries].reverse()), KNOWN.draw.root);
  same(await receiptOf(KNOWN.nonce, KNOWN.salt), KNOWN.receipt);
}

export async function whatWasChangedIsNamed() {
  const { draw, entries } = KNOWN;
  const swapped = [entries[1], entries[0], ...entries.slice(2)];
  same(await differences(draw, swapped), ["order"]);
  same(await differences({ ...draw, seed: "00".repeat(32) }, entries), ["commitment", "order"]);
  same((await differences(draw, entries.slice(1))).slice(0, 2), ["count", "root"]);
  same(await differences({ ...draw, algorithm: "dice" }, entries), ["algorithm"]);
  same(await differences({ ...draw, seed: null }, entries), ["seed"]);
  same(await differences(draw, ["x", ...entries.slice(1)]), ["entry"]);
  that((await differences(draw, [entries[1], ...entries.slice(1)])).includes("twice"));
  that((await differences({ ...draw, beacon: { value: "9" } }, entries)).includes("order"));
}

export function theNonceIsKeptWithTheReceiptThatItIsIn() {
  const items = new Map();
  const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
  const entry = new Entry("gala", storage);
  const nonce = entry.nonce();
  same(/^[0-9a-f]{32}$/.test(nonce), true);
  same(entry.nonce(), nonce, "the same until the server has answered");
  entry.learn({ receipt: "r1", salt: "s1" });
  same(entry.kept, { nonce, salt: "s1", receipt: "r1" });
  entry.nonce();
  entry.learn({ receipt: "r1", salt: "s1" });
  same(entry.kept.nonce, nonce, "a ticket brought the entry back");
}

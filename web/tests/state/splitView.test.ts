/** Which documents the split view shows after tabs were shown, opened or closed. */
import { expect, test } from "vitest";
import { splitAfter } from "../../src/state/editing/splitView";
import { blankTab, type Studio } from "../../src/state/session/studio";

const split = { panes: ["a", "b"], share: 0.3 } as const;

function studio(active: string, ...open: string[]): Studio {
  return { catalog: {}, active, tabs: open.map((id) => blankTab(id, id)) };
}

test("the focus goes from side to side without a change", () => {
  expect(splitAfter(split, "a", studio("b", "a", "b", "c"))).toBe(split);
});

test("a document shown from its tab takes the side that had the focus", () => {
  expect(splitAfter(split, "b", studio("c", "a", "b", "c"))?.panes).toEqual(["a", "c"]);
  expect(splitAfter(split, "a", studio("c", "a", "b", "c"))?.panes).toEqual(["c", "b"]);
});

test("closing the document of either side ends the split", () => {
  expect(splitAfter(split, "a", studio("b", "b", "c"))).toBeNull();
  expect(splitAfter(split, "a", studio("a", "a", "c"))).toBeNull();
  expect(splitAfter(split, "a", studio("c", "b", "c"))).toBeNull();
});

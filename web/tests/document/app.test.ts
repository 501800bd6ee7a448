/** The app form of a workflow, read from a file and written to it. */
import { expect, test } from "vitest";
import { readApp, setApp } from "../../src/document/app";
import type { JsonObject } from "../../src/document/json";
import { EMPTY_LOG, record, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

function saved(extra: JsonObject): JsonObject {
  const node = (id: number) => ({ id, type: "Any", pos: [0, 0], size: [1, 1] });
  return { nodes: [node(3), node(7)], links: [], extra, version: 0.4 };
}
const read = (extra: JsonObject) => readGraph(saved(extra), () => undefined);

test("an app of the incumbent's is read, its parts that are gone left out", () => {
  const app = readApp(
    read({
      linearMode: true,
      linearData: {
        inputs: [[3, "seed"], [9, "gone"], [7, "text", { height: 90 }], 4],
        outputs: [7, 8],
      },
    }),
  );
  expect(app.fields.map(({ node, widget }) => [node, widget])).toEqual([
    ["3", "seed"],
    ["7", "text"],
  ]);
  expect(app.outputs).toEqual(["7"]);
  expect(app.first).toBe(true);
});

test("what is written is read again, and what others wrote stays", () => {
  const graph = read({
    ds: { scale: 2 },
    calotype: { other: 1 },
    linearData: { inputs: [[7, "text", { height: 90 }]], theirs: true },
  });
  const app = {
    fields: [
      { node: "3", widget: "seed", label: "Chance", heading: "Fine" },
      { node: "7", widget: "text", label: null, heading: null },
    ],
    outputs: ["7"],
    first: false,
  };
  const recorded = record({ graph, log: EMPTY_LOG }, "App", (draft) => setApp(draft, app));
  const written = writeGraph(recorded.graph);
  expect(readApp(readGraph(written, () => undefined))).toEqual(app);
  expect(written.extra).toEqual({
    ds: { scale: 2 },
    calotype: { other: 1, app: { "3/seed": { label: "Chance", heading: "Fine" } } },
    linearMode: false,
    linearData: {
      inputs: [
        [3, "seed"],
        [7, "text", { height: 90 }],
      ],
      outputs: [7],
      theirs: true,
    },
  });
  expect(writeGraph(undo(recorded).graph)).toEqual(writeGraph(graph));
});

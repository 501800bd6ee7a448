/** Values read before their class was known get their names once it is. */
import { describe, expect, test } from "vitest";
import { moveNodes, removeNodes, setValue } from "../../src/document/edit";
import type { WidgetSlot } from "../../src/document/graph";
import type { JsonObject } from "../../src/document/json";
import { EMPTY_LOG, record, undo } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { withNames } from "../../src/document/valueNames";
import { writeGraph } from "../../src/document/write";

const slots: readonly WidgetSlot[] = ["count", "text"].map((name) => ({
  name,
  kind: "value",
  default: null,
}));
const layout = (type: string) => (type === "Future" ? slots : undefined);
const unknown = () => undefined;

const node = (id: number, type: string): JsonObject => ({
  id,
  type,
  pos: [0, 0],
  size: [200, 100],
  flags: {},
  mode: 0,
  properties: {},
  widgets_values: [42, "hello", "more"],
});
const inner = { id: "inside", name: "Inside", nodes: [node(3, "Future")], links: [] };
const file: JsonObject = {
  last_node_id: 2,
  last_link_id: 0,
  nodes: [node(1, "Future"), node(2, "Elsewhere")],
  links: [],
  groups: [],
  definitions: { subgraphs: [inner] },
  version: 0.4,
};

describe("values called by their places", () => {
  test("are called by name once the class is known, on all levels, and saved as they were", () => {
    const named = withNames(readGraph(file, unknown), layout);
    expect(named.nodes["1"]?.values).toEqual({ count: 42, text: "hello", "#2": "more" });
    expect(named.definitions.inside?.graph.nodes["3"]?.values.count).toBe(42);
    expect(named.nodes["2"]?.values).toEqual({ "#0": 42, "#1": "hello", "#2": "more" });
    expect(writeGraph(named)).toEqual(file);
    expect(named).toEqual(readGraph(file, layout));
    expect(withNames(named, layout)).toBe(named);
  });

  test("that an undo brings back are called by name, too", () => {
    const opened = { graph: readGraph(file, unknown), log: EMPTY_LOG };
    const moved = record(opened, "Move", (draft) => moveNodes(draft, { 2: { x: 9, y: 9 } }));
    const gone = record(moved, "Delete", (draft) => removeNodes(draft, ["1"]));
    const back = undo({ ...gone, graph: withNames(gone.graph, layout) });
    expect(withNames(back.graph, layout).nodes["1"]?.values.count).toBe(42);
  });

  test("give way to what their names were given since", () => {
    const opened = { graph: withNames(readGraph(file, unknown), layout), log: EMPTY_LOG };
    const edited = record(opened, "Change", (draft) => setValue(draft, "1", "count", 7, slots));
    expect(withNames(edited.graph, layout).nodes["1"]?.values.count).toBe(7);
    expect((writeGraph(edited.graph).nodes as JsonObject[])[0]?.widgets_values).toEqual([
      7,
      "hello",
      "more",
    ]);
  });
});

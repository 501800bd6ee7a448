/** A file that is opened and saved unchanged stays the same. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { WidgetSlot } from "../../src/document/graph";
import { equalJson, isObject, type Json, parseJson, writeJson } from "../../src/document/json";
import { kindOf, NotAWorkflowError, readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

const root = resolve(import.meta.dirname, "../../..");
/** A collection that we may not distribute; `templates.test.ts` covers those of the test extra. */
const pairs = process.env.CALOTYPE_PAIRS;

/** Saved workflows in a folder of JSON files: the file itself, or its content under a key. */
function workflowsIn(folder: string): [string, Json][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name): [string, Json][] => {
      const value = parseJson(readFileSync(join(folder, name), "utf8"));
      const found = kindOf(value) === "workflow" ? value : isObject(value) ? value.workflow : null;
      return found != null && kindOf(found) === "workflow" ? [[name, found]] : [];
    });
}

const sampler: WidgetSlot[] = [
  { name: "seed", kind: "value", default: 0 },
  { name: "control_after_generate", kind: "control", default: "randomize" },
  { name: "steps", kind: "value", default: 20 },
];
const layout = (type: string) => (type === "KSampler" ? sampler : undefined);

const bundled = workflowsIn(join(root, "web/workflows"));
const saved = pairs === undefined ? [] : workflowsIn(pairs);
if (pairs !== undefined && saved.length === 0) {
  throw new Error(`CALOTYPE_PAIRS: there are no workflows in ${pairs}`);
}

test("there are bundled workflows to read", () => {
  expect(bundled.length).toBeGreaterThan(3);
});

describe.each(bundled)("bundled %s", (_name, workflow) => {
  test("comes back as it was", () => {
    expect(writeGraph(readGraph(workflow, layout))).toEqual(workflow);
  });
});

describe.skipIf(pairs === undefined)("workflows that CALOTYPE_PAIRS names", () => {
  test.each(saved)("%s comes back as it was", (_name, workflow) => {
    const written = writeGraph(readGraph(workflow, layout));
    expect(written).toEqual(workflow);
    const again = readGraph(parseJson(writeJson(written)), layout);
    expect(equalJson(writeGraph(again), workflow)).toBe(true);
  });
});

describe("odd files", () => {
  const node = { id: 1, type: "Odd", pos: { "0": 3, "1": 4 }, size: [10, 20], mystery: [1, null] };

  test("places in objects, unknown fields and ids that are strings survive", () => {
    const workflow = {
      nodes: [node, { id: "a", type: "Odd", widgets_values: { text: "x" } }],
      links: [],
      version: 0.4,
      tool: { of: "others" },
    };
    const graph = readGraph(workflow, layout);
    expect(graph.nodes["1"]?.position).toEqual({ x: 3, y: 4 });
    expect(graph.nodes.a?.values).toEqual({ text: "x" });
    expect(writeGraph(graph)).toEqual(workflow);
  });

  test("schema 1 with links as objects and reroutes", () => {
    const workflow = {
      version: 1,
      state: { lastNodeId: 2, lastLinkId: 7, lastGroupId: 0, lastRerouteId: 1 },
      nodes: [
        { id: 1, type: "A", outputs: [{ name: "x", type: "IMAGE", links: [7] }] },
        { id: 2, type: "B", inputs: [{ name: "y", type: "IMAGE", link: 7 }] },
      ],
      links: [
        {
          id: 7,
          origin_id: 1,
          origin_slot: 0,
          target_id: 2,
          target_slot: 0,
          type: "IMAGE",
          parentId: 1,
        },
      ],
      reroutes: [{ id: 1, pos: [5, 6], linkIds: [7] }],
    };
    const graph = readGraph(workflow, layout);
    expect(graph.links["7"]).toMatchObject({ from: "1", to: "2", reroute: "1" });
    expect(graph.reroutes["1"]?.position).toEqual({ x: 5, y: 6 });
    expect(writeGraph(graph)).toEqual(workflow);
  });

  test("an input that names a link is trusted against the link's own slot", () => {
    const graph = readGraph(
      {
        nodes: [
          { id: 1, type: "A", outputs: [{ name: "o", type: "X", links: [1] }] },
          {
            id: 2,
            type: "B",
            inputs: [
              { name: "a", type: "X", link: null },
              { name: "b", type: "X", link: 1 },
            ],
          },
        ],
        links: [[1, 1, 0, 2, 0, "X"]],
      },
      layout,
    );
    expect(graph.links["1"]?.toSlot).toBe(1);
  });

  test("a seed's control is read only where the value is one", () => {
    const read = (values: Json[]) =>
      readGraph({ nodes: [{ id: 1, type: "KSampler", widgets_values: values }] }, layout).nodes["1"]
        ?.values;
    expect(read([7, "fixed", 12])).toEqual({ seed: 7, control_after_generate: "fixed", steps: 12 });
    expect(read([7, 12])).toEqual({ seed: 7, steps: 12 });
    expect(read([7, "fixed", 12, "left over"])).toMatchObject({ steps: 12, "#3": "left over" });
  });

  test("what is no workflow is refused in words", () => {
    expect(() => readGraph({ a: 1 }, layout)).toThrow(NotAWorkflowError);
  });
});

describe("whole numbers beyond 2^53", () => {
  test("come back exactly, and texts that look like them stay texts", () => {
    const text =
      '{"seed":18446744073709551615,"near":9007199254740991,"text":"18446744073709551615"}';
    const value = parseJson(text);
    expect(isObject(value) && value.seed).toBe(18446744073709551615n);
    expect(writeJson(value)).toBe(text);
  });

  test("a float with many digits stays a float, NaN is read", () => {
    expect(parseJson("[0.12345678901234567, 1234567890123456789.5, 12345678901234567e3]")).toEqual([
      Number("0.12345678901234567"),
      Number("1234567890123456789.5"),
      Number("12345678901234567e3"),
    ]);
    expect(parseJson("[NaN, -Infinity]")).toEqual([Number.NaN, -Infinity]);
  });
});

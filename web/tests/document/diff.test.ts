/** The difference between two documents, by names. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { diffGraphs, isSame } from "../../src/document/diff";
import { connect, moveNodes, removeNodes, setMode } from "../../src/document/edit";
import type { Draft, Workflow } from "../../src/document/graph";
import { isObject, type Json, type JsonObject, parseJson } from "../../src/document/json";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

const FILE = resolve(import.meta.dirname, "../workflows/seven_nodes.json");
const LAYOUT = () => undefined;

function load(): Workflow {
  const text = readFileSync(FILE, "utf8");
  return readGraph(parseJson(text), LAYOUT);
}

function edited(graph: Workflow, edit: (draft: Draft) => void): Workflow {
  return record({ graph, log: EMPTY_LOG }, "edit", edit).graph;
}

function keyOf(graph: Workflow, type: string): string {
  const found = graph.order.find((key) => graph.nodes[key]?.type === type);
  if (found === undefined) throw new Error(`no ${type}`);
  return found;
}

/** The same document with other ids. */
function renumbered(graph: Workflow, by: number): Workflow {
  const saved = writeGraph(graph);
  const list = (value: Json | undefined) => (Array.isArray(value) ? value : []);
  const nodes = list(saved.nodes).map((each): JsonObject => {
    const node = each as JsonObject;
    return { ...node, id: Number(node.id) + by };
  });
  const links = list(saved.links).map((each): Json => {
    const [id, from, slot, to, input, type] = list(each);
    return [id ?? 0, Number(from) + by, slot ?? 0, Number(to) + by, input ?? 0, type ?? "*"];
  });
  return readGraph({ ...saved, nodes, links }, LAYOUT);
}

describe("the difference of two documents", () => {
  test("is nothing between equal ones", () => {
    expect(isSame(diffGraphs(load(), load()))).toBe(true);
  });

  test("is nothing where nodes were only moved", () => {
    const graph = load();
    const moved = edited(graph, (draft) =>
      moveNodes(draft, { [keyOf(graph, "KSampler")]: { x: 9, y: 9 } }),
    );
    expect(isSame(diffGraphs(graph, moved))).toBe(true);
  });

  test("tells a value by its name, before and after", () => {
    const graph = load();
    const sampler = keyOf(graph, "KSampler");
    const [name] = Object.keys(graph.nodes[sampler]?.values ?? {});
    const before = graph.nodes[sampler]?.values[name ?? ""];
    const changed = edited(graph, (draft) => {
      const node = draft.nodes[sampler];
      if (node !== undefined && name !== undefined) node.values[name] = 77;
    });
    const difference = diffGraphs(graph, changed);
    expect(difference.changed).toEqual([
      {
        before: sampler,
        after: sampler,
        values: [{ name, before, after: 77 }],
        mode: null,
        title: null,
      },
    ]);
    expect([difference.added, difference.removed]).toEqual([[], []]);
  });

  test("holds a large seed and its number for one value", () => {
    const graph = load();
    const sampler = keyOf(graph, "KSampler");
    const seeded = (value: Json) =>
      edited(graph, (draft) => {
        const node = draft.nodes[sampler];
        if (node !== undefined) node.values.seed = value;
      });
    expect(isSame(diffGraphs(seeded(5), seeded(5n)))).toBe(true);
    expect(diffGraphs(seeded(2n ** 64n - 1n), seeded(2n ** 64n - 2n)).changed).toHaveLength(1);
  });

  test("tells a mode", () => {
    const graph = load();
    const key = keyOf(graph, "VAEDecode");
    const muted = edited(graph, (draft) => setMode(draft, [key], 4));
    expect(diffGraphs(graph, muted).changed[0]?.mode).toEqual({ before: 0, after: 4 });
  });

  test("tells a removed node with its wires, and the other way round an added one", () => {
    const graph = load();
    const key = keyOf(graph, "VAEDecode");
    const without = edited(graph, (draft) => removeNodes(draft, [key]));
    const gone = diffGraphs(graph, without);
    expect(gone.removed).toEqual([key]);
    expect(gone.added).toEqual([]);
    expect(gone.wiresAdded).toEqual([]);
    expect(gone.wiresRemoved.length).toBe(graph.linkOrder.length - without.linkOrder.length);
    const back = diffGraphs(without, graph);
    expect(back.added).toEqual([key]);
    expect(back.wiresAdded.length).toBe(gone.wiresRemoved.length);
    expect(back.wiresRemoved).toEqual([]);
  });

  test("tells a wire that leads elsewhere, though its id is new", () => {
    const graph = load();
    const sampler = keyOf(graph, "KSampler");
    const negative = graph.nodes[sampler]?.inputs.find((each) => each.name === "negative");
    const source = graph.links[negative?.link ?? ""]?.from ?? "";
    const rewired = edited(graph, (draft) => {
      const to = { node: sampler, name: "positive", type: "CONDITIONING", isWidget: false };
      connect(draft, { node: source, slot: 0 }, to, "CONDITIONING");
    });
    const difference = diffGraphs(graph, rewired);
    expect(difference.wiresAdded.map(({ from, to, input }) => [from, to, input])).toEqual([
      [source, sampler, "positive"],
    ]);
    expect(difference.wiresRemoved.map(({ to, input }) => [to, input])).toEqual([
      [sampler, "positive"],
    ]);
    expect(difference.changed).toEqual([]);
  });

  test("is nothing where only ids differ, and finds the one change among them", () => {
    const graph = load();
    const other = renumbered(graph, 100);
    expect(isSame(diffGraphs(graph, other))).toBe(true);
    const prompts = other.order.filter((key) => other.nodes[key]?.type === "CLIPTextEncode");
    expect(prompts).toHaveLength(2);
    const [first = ""] = prompts;
    const changed = edited(other, (draft) => {
      const node = draft.nodes[first];
      if (node !== undefined)
        for (const name of Object.keys(node.values)) node.values[name] = "fox";
    });
    const difference = diffGraphs(graph, changed);
    expect(difference.changed.map((each) => [each.before, each.after])).toEqual([
      [String(Number(first) - 100), first],
    ]);
    expect([difference.added, difference.removed, difference.wiresAdded]).toEqual([[], [], []]);
  });

  test("holds one id with another type for two nodes", () => {
    const graph = load();
    const key = keyOf(graph, "VAEDecode");
    const saved = writeGraph(graph);
    const nodes = (Array.isArray(saved.nodes) ? saved.nodes : []).map((each) =>
      isObject(each) && String(each.id) === key ? { ...each, type: "VAEDecodeTiled" } : each,
    );
    const difference = diffGraphs(graph, readGraph({ ...saved, nodes }, LAYOUT));
    expect([difference.removed, difference.added]).toEqual([[key], [key]]);
  });
});

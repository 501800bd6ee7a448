/** Auto-layout of a whole graph with its frames, and of a selection. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { encloses, overlaps } from "../../src/document/arrange";
import { frameBox, setFrameCollapsed } from "../../src/document/frames";
import { isObject, type JsonObject, parseJson } from "../../src/document/json";
import { layOutNodes } from "../../src/state/editing/autoLayout";
import { boxesOf } from "../../src/state/editing/boxes";
import { foldingOf } from "../../src/state/nodes/folding";
import { activeEditor } from "../../src/state/session/editor";
import { activeTab, edit, openWorkflow, undoEdit } from "../../src/state/session/studio";

const path = resolve(import.meta.dirname, "../../workflows/inpaint.json");

/** The workflow with all nodes in one place, except those of two nested frames. */
function heap(): JsonObject {
  const file = parseJson(readFileSync(path, "utf8"));
  if (!isObject(file) || !Array.isArray(file.nodes)) throw new Error("the file has changed");
  let prompts = 0;
  const nodes = file.nodes.map((node, index) => {
    if (!isObject(node)) return node;
    if (node.type !== "CLIPTextEncode") return { ...node, pos: [(index * 37) % 300, index * 11] };
    prompts += 1;
    return { ...node, pos: [2000, prompts * 300] };
  });
  const groups = [
    { title: "inner", bounding: [1980, 200, 500, 700] },
    { title: "outer", bounding: [1900, 100, 700, 1200] },
  ];
  return { ...file, nodes, groups };
}

beforeEach(() => {
  openWorkflow(heap(), { name: "heap" });
});

function frame(title: string) {
  const found = activeTab().graph.groups.find((each) => each.title === title);
  if (found === undefined) throw new Error(`There is no frame ${title}.`);
  return found;
}

function expectApart(): void {
  const all = [...boxesOf(activeEditor())];
  const hits = all.flatMap(([key, one], index) =>
    all
      .slice(index + 1)
      .filter(([, other]) => overlaps(one, other))
      .map(([other]) => `${key} ${other}`),
  );
  expect(hits).toEqual([]);
}

test("a whole graph: nothing overlaps, sources stand left, frames hold what they held; one undo", async () => {
  const before = activeTab().graph;
  await layOutNodes(activeEditor(), before.order);
  expectApart();
  const boxes = boxesOf(activeEditor());
  const { graph, log } = activeTab();
  expect(log.done).toHaveLength(1);
  for (const { from, to } of Object.values(graph.links)) {
    const [source, target] = [boxes.get(from), boxes.get(to)];
    if (source !== undefined && target !== undefined) {
      expect(source.x + source.width).toBeLessThan(target.x);
    }
  }
  const [inner, outer] = [frameBox(frame("inner")), frameBox(frame("outer"))];
  expect(encloses(outer, inner)).toBe(true);
  for (const [key, box] of boxes) {
    const isPrompt = graph.nodes[key]?.type === "CLIPTextEncode";
    if (isPrompt) expect(encloses(outer, box)).toBe(true);
    else expect(overlaps(outer, box)).toBe(false);
  }
  undoEdit(activeEditor());
  expect(activeTab().graph).toEqual(before);
});

test("a folded frame is laid out as the box that is drawn, with what is in it", async () => {
  edit(activeEditor(), "Fold", (draft) => setFrameCollapsed(draft, frame("outer").key, true));
  const then = activeTab().graph;
  await layOutNodes(activeEditor(), then.order);
  expectApart();
  const { graph } = activeTab();
  const [fold] = foldingOf(graph).folds;
  if (fold === undefined) throw new Error("nothing is folded");
  const drawn = { ...fold.group.position, width: fold.width, height: fold.height };
  for (const box of boxesOf(activeEditor()).values()) expect(overlaps(drawn, box)).toBe(false);
  const moved = (key: string) => ({
    x: (graph.nodes[key]?.position.x ?? 0) - (then.nodes[key]?.position.x ?? 0),
    y: (graph.nodes[key]?.position.y ?? 0) - (then.nodes[key]?.position.y ?? 0),
  });
  const inside = graph.order.filter((key) => graph.nodes[key]?.type === "CLIPTextEncode");
  expect(new Set(inside.map((key) => JSON.stringify(moved(key)))).size).toBe(1);
});

test("only what is asked for moves, and what is pinned stays", async () => {
  const { graph } = activeTab();
  const some = graph.order.slice(4, 9);
  const [pinned = ""] = some;
  edit(activeEditor(), "Pin", (draft) => {
    const node = draft.nodes[pinned];
    if (node !== undefined) node.saved = { ...node.saved, flags: { pinned: true } };
  });
  await layOutNodes(activeEditor(), some);
  for (const key of graph.order) {
    const stays = !some.includes(key) || key === pinned;
    const now = activeTab().graph.nodes[key]?.position;
    if (stays) expect(now).toEqual(graph.nodes[key]?.position);
  }
  expect(activeTab().log.done.at(-1)?.label).toBe("Tidy");
});

/**
 * Fixes that add wires or nodes: offered only where the graph would do what its names say. A sampler
 * is never guided away from what it is guided to, and no wire closes a cycle.
 */

import { addNode, setTitle } from "../../document/edit";
import { type Graph, type GraphNode, MODE } from "../../document/graph";
import { t } from "../../words/words";
import { connectInDraft, connectWire, createNode, placeNode } from "../editing/actions";
import { freeBelow } from "../finding/placing";
import { bodyAt, boundsOf, GRID, showsPictures } from "../nodes/shape";
import { feeds, fits } from "../nodes/sockets";
import type { Editor } from "../session/editor";
import { edit, schemaOf, type Tab } from "../session/studio";

export interface Fix {
  title: string;
  run: () => void;
}

export const MAX_FIXES = 2;

const OPPOSITES: Readonly<Record<string, string>> = { positive: "negative", negative: "positive" };

/** Outputs that fit, those of the nearest nodes first. */
export function connectSources(
  editor: Editor,
  graph: Graph,
  node: GraphNode,
  input: string,
): Fix[] {
  const inputType = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.type;
  if (inputType === undefined) return [];
  const opposite = sourceOf(graph, node, OPPOSITES[input] ?? "");
  const found: { fix: Fix; distance: number }[] = [];
  for (const source of Object.values(graph.nodes)) {
    const schema = schemaOf(source.type);
    if (schema === undefined || source.mode === MODE.muted) continue;
    if (source.key === node.key || feeds(graph, node.key, source.key)) continue;
    const slot = slotFor(source, input, inputType);
    // The same prompt on both sides would make nothing of it, unless the output is for this side.
    const isSame = opposite !== undefined && feeds(graph, source.key, opposite.key);
    if (slot < 0 || (isSame && schema.outputs[slot]?.name !== input)) continue;
    const { x, y } = source.position;
    const title = source.title ?? schema.display_name;
    found.push({
      distance: Math.hypot(x - node.position.x, y - node.position.y),
      fix: {
        title: t("Connect {{node}}", { node: title }),
        run: () => connectWire(editor, { from: source.key, slot, to: node.key, input }),
      },
    });
  }
  found.sort((one, other) => one.distance - other.distance);
  return found.slice(0, MAX_FIXES).map((each) => each.fix);
}

/** The output for an input: of its name, else the first of its type that is not for the opposite. */
function slotFor({ type }: GraphNode, input: string, inputType: string): number {
  const outputs = schemaOf(type)?.outputs ?? [];
  const isFit = (slot: number) =>
    outputs[slot] !== undefined &&
    outputs[slot].type !== "*" &&
    fits(outputs[slot].type, inputType);
  const named = outputs.findIndex(({ name }, slot) => name === input && isFit(slot));
  if (named >= 0) return named;
  return outputs.findIndex(({ name }, slot) => name !== OPPOSITES[input] && isFit(slot));
}

function sourceOf(graph: Graph, node: GraphNode, input: string): GraphNode | undefined {
  return graph.nodes[graph.links[linkInto(node, input) ?? ""]?.from ?? ""];
}

export function linkInto(node: GraphNode, input: string): string | null {
  return node.inputs.find((each) => each.name === input)?.link ?? null;
}

/** An empty prompt from the text encoder of the positive one, for a sampler without a negative. */
export function addNegative(editor: Editor, graph: Graph, node: GraphNode, input: string): Fix[] {
  const positive = input === "negative" ? sourceOf(graph, node, "positive") : undefined;
  const schema = schemaOf("CLIPTextEncode");
  const clip = graph.links[positive === undefined ? "" : (linkInto(positive, "clip") ?? "")];
  if (positive?.type !== "CLIPTextEncode" || schema === undefined || clip === undefined) return [];
  const { position, size } = positive;
  const below = { x: position.x, y: position.y + size.height + 3 * GRID };
  const run = () => {
    edit(editor, "Add a negative prompt", (draft, workflow) => {
      const at = bodyAt(freeBelow(draft, below));
      const made = createNode(schema, draft.lastNodeId + 1, at);
      addNode(draft, { ...made, size: { ...made.size, width: size.width } });
      setTitle(draft, made.key, t("Negative prompt"));
      const source = { from: clip.from, slot: clip.fromSlot };
      connectInDraft(draft, workflow, { ...source, to: made.key, input: "clip" });
      connectInDraft(draft, workflow, { from: made.key, slot: 0, to: node.key, input });
    });
  };
  return [{ title: t("Add a negative prompt"), run }];
}

/**
 * Adds a node that saves, for the newest picture that is made here: one that nothing uses yet, if
 * there is one. Where no picture is made, there is nothing to save.
 */
export function addSaveNode(editor: Editor, { graph, level }: Tab): Fix[] {
  const schema = schemaOf("SaveImage");
  const bounds = boundsOf(graph, graph.order);
  if (level.length > 0 || schema === undefined || bounds === null) return [];
  const at = { x: bounds.x + bounds.width + 4 * GRID, y: bounds.y };
  const made = graph.order.flatMap((key) => {
    const node = graph.nodes[key];
    const described = schemaOf(node?.type ?? "");
    const slot = described?.outputs.findIndex((each) => each.type === "IMAGE") ?? -1;
    if (node === undefined || slot < 0 || node.mode === MODE.muted) return [];
    // A picture that is only loaded is saved already.
    if (showsPictures(described)) return [];
    const isUsed = (node.outputs[slot]?.links.length ?? 0) > 0;
    return [{ node: key, socket: String(slot), isUsed }];
  });
  const source = made.findLast((each) => !each.isUsed) ?? made.at(-1);
  if (source === undefined) return [];
  const { node, socket } = source;
  const run = () =>
    void placeNode(editor, schema, at, { node, socket, side: "output", type: "IMAGE" });
  return [{ title: t("Add {{node}}", { node: schema.display_name }), run }];
}

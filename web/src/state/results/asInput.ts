/** A result as the input of the open workflow: placed beside what would take it, and joined. */

import type { NodeSchema } from "../../api/types";
import { addNode, removeLink, removeNodes, setValue } from "../../document/edit";
import type { Graph, GraphNode, Point } from "../../document/graph";
import { t } from "../../words/words";
import { connectInDraft, createNode } from "../editing/actions";
import { freeBelow } from "../finding/placing";
import { titleOf } from "../nodes/naming";
import { bodyAt, cornerOf, GRID, WIDTH } from "../nodes/shape";
import { isSocket, layoutOf } from "../nodes/widgets";
import type { Editor } from "../session/editor";
import { edit, schemaOf, select } from "../session/studio";
import { notify } from "../session/view";

const IMAGE = "IMAGE";
/** A node class that begins with noise only. */
const EMPTY_LATENT = /^Empty.*Latent/;
/** Of the noise that a sampler adds to a given picture: at 1 nothing of the picture remains. */
const DENOISE = 0.6;
const GAP = 4 * GRID;

/** What takes the picture: an open socket for images, or a sampler that begins with noise. */
type Taker =
  | { kind: "socket"; node: GraphNode; input: string }
  | { kind: "sampler"; node: GraphNode; input: string; empty: GraphNode; vae: Source };

interface Source {
  from: string;
  slot: number;
}

/**
 * Adds a node that loads the file and joins it to what would take it; at `fallback` where nothing
 * would, or where that place `isChosen`. One entry of the log.
 */
export function placeAsInput(
  editor: Editor,
  value: string,
  fallback: Point,
  isChosen: boolean,
): void {
  const loader = schemaOf("LoadImage");
  if (loader === undefined) {
    notify(t("This server has no node that loads images."));
    return;
  }
  const { graph, selected } = editor.tab;
  const taker = isChosen ? null : takerIn(graph, selected);
  const keys: string[] = [];
  edit(editor, "Use a picture as an input", (draft, workflow) => {
    const add = (schema: NodeSchema, corner: Point): string => {
      const made = createNode(schema, draft.lastNodeId + 1, bodyAt(freeBelow(draft, corner)));
      addNode(draft, made);
      keys.push(made.key);
      return made.key;
    };
    const beside = taker === null ? fallback : leftOf(taker.node, taker.kind === "sampler" ? 2 : 1);
    const loaded = add(loader, beside);
    setValue(draft, loaded, "image", value, layoutOf(loader));
    if (taker?.kind === "socket") {
      const { node, input } = taker;
      connectInDraft(draft, workflow, { from: loaded, slot: 0, to: node.key, input });
    }
    if (taker?.kind !== "sampler") return;
    const { node, input, empty, vae } = taker;
    const encoder = schemaOf("VAEEncode");
    const sampler = schemaOf(node.type);
    if (encoder === undefined || sampler === undefined) return;
    const encoded = add(encoder, leftOf(node, 1));
    connectInDraft(draft, workflow, { from: loaded, slot: 0, to: encoded, input: "pixels" });
    connectInDraft(draft, workflow, { ...vae, to: encoded, input: "vae" });
    const before = draft.nodes[node.key]?.inputs.find((each) => each.name === input)?.link;
    if (before != null) removeLink(draft, before);
    connectInDraft(draft, workflow, { from: encoded, slot: 0, to: node.key, input });
    // An empty latent that nothing else uses would only be in the way.
    if (draft.nodes[empty.key]?.outputs.every((each) => each.links.length === 0)) {
      removeNodes(draft, [empty.key]);
    }
    if (node.values.denoise === 1) {
      setValue(draft, node.key, "denoise", DENOISE, layoutOf(sampler));
    }
  });
  select(editor, keys);
  if (taker?.kind === "sampler" && taker.node.values.denoise === 1) {
    const title = titleOf(taker.node, schemaOf(taker.node.type));
    notify(t("{{node}} now begins with the picture; its denoise is 0.6.", { node: title }));
  }
}

/** The corner of a node that stands `places` nodes to the left, beside the sockets. */
function leftOf(node: GraphNode, places: number): Point {
  const { x, y } = cornerOf(node);
  return { x: x - places * (WIDTH + GAP), y };
}

/** The selected node first, then the others in their order; open sockets before samplers. */
function takerIn(graph: Graph, selected: readonly string[]): Taker | null {
  const order = [...selected, ...graph.order.filter((key) => !selected.includes(key))];
  const nodes = order.flatMap((key) => graph.nodes[key] ?? []);
  const sockets = nodes.flatMap((node) => openSocket(node) ?? []);
  const chosen = sockets.find(({ node }) => selected.includes(node.key));
  return (
    chosen ??
    nodes.map((node) => noiseSampler(graph, node)).find((each) => each !== null) ??
    sockets[0] ??
    null
  );
}

/** A required socket for images without a wire. */
function openSocket(node: GraphNode): Taker | null {
  const open = schemaOf(node.type)?.inputs.find(
    (each) =>
      each.type === IMAGE &&
      each.section === "required" &&
      isSocket(each) &&
      !node.inputs.some(({ name, link }) => name === each.name && link !== null),
  );
  return open === undefined ? null : { kind: "socket", node, input: open.name };
}

/** A sampler that begins with an empty latent, where one VAE of the graph can encode for it. */
function noiseSampler(graph: Graph, node: GraphNode): Taker | null {
  if (!("denoise" in node.values)) return null;
  for (const { name, link } of node.inputs) {
    const empty = graph.nodes[graph.links[link ?? ""]?.from ?? ""];
    if (empty === undefined || !EMPTY_LATENT.test(empty.type)) continue;
    const vae = vaeIn(graph);
    return vae === null ? null : { kind: "sampler", node, input: name, empty, vae };
  }
  return null;
}

/** The source of the first wire that carries a VAE. */
function vaeIn(graph: Graph): Source | null {
  for (const key of graph.linkOrder) {
    const link = graph.links[key];
    if (link?.type === "VAE") return { from: link.from, slot: link.fromSlot };
  }
  return null;
}

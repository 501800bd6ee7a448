/** The user's edits of wires: reroute points, portals, inserting nodes and pulling them out. */

import type { NodeSchema } from "../../api/types";
import { addNode, removeLink } from "../../document/edit";
import { labelOf } from "../../document/editLabel";
import type { Graph, GraphNode, Link, Point } from "../../document/graph";
import {
  drawAsWire,
  freePortalName,
  makePortal,
  portalOf,
  renamePortal,
} from "../../document/portal";
import { addReroute, removeReroutes, straighten } from "../../document/reroute";
import { detachNodes, insertIntoLink, linksAround } from "../../document/rewire";
import { t } from "../../words/words";
import { foldedEnds } from "../nodes/folding";
import { inputsOf } from "../nodes/inputs";
import { inputType, outputType } from "../nodes/shape";
import { closeness } from "../nodes/sockets";
import { isSocket, isWidget } from "../nodes/widgets";
import { shows } from "../outcomes/places";
import { useRuns } from "../outcomes/runs";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { setting } from "../session/settings";
import { edit, schemaOf, select } from "../session/studio";
import { countUse, notify } from "../session/view";
import { createNode, fillOutputs } from "./actions";
import { type Ends, endsOf, nearness, pathOf, type WireShape } from "./wires";
import { useWiring } from "./wiring";

/** The positions of a link's ends on the canvas; null where it is not drawn. */
export function currentEnds(editor: Editor, link: Link): Ends | null {
  const { tab, catalog } = editor;
  const { shown } = useRuns.getState();
  const folded = foldedEnds(tab.graph, link);
  if (folded.within) return null;
  const ends = endsOf(tab.graph, link, catalog, (key) => shows(tab, shown, key));
  if (ends === null) return null;
  return { source: folded.source?.at ?? ends.source, target: folded.target?.at ?? ends.target };
}

/**
 * The distance of a place to a wire, and the nearest segment of the wire; null for no such wire.
 */
function nearnessTo(editor: Editor, key: string, at: Point) {
  const { graph } = editor;
  const link = graph.links[key];
  const ends = link && currentEnds(editor, link);
  if (link === undefined || ends == null) return null;
  const shape = setting("calotype.wireShape") as WireShape;
  return nearness([ends.source, ...pathOf(graph, link), ends.target], shape, at);
}

/** The wire nearest to a place, within this distance. */
export function wireAt(
  editor: Editor,
  at: Point,
  reach: number,
  fits: (key: string) => boolean,
): string | null {
  const { graph } = editor;
  let [best, least]: [string | null, number] = [null, reach];
  for (const key of graph.linkOrder) {
    const link = graph.links[key];
    if (link === undefined || link.portal !== null || !mayBeNear(editor, link, at) || !fits(key))
      continue;
    const distance = nearnessTo(editor, key, at)?.distance ?? Number.POSITIVE_INFINITY;
    if (distance < least) [best, least] = [key, distance];
  }
  return best;
}

const SEARCH_MARGIN = 260;

/** A fast check that skips distant wires. A wire with reroute points may run anywhere. */
function mayBeNear(editor: Editor, link: Link, { x, y }: Point): boolean {
  if (link.reroute !== null) return true;
  const { nodes } = editor.tab.graph;
  const [from, to] = [nodes[link.from], nodes[link.to]];
  if (from === undefined || to === undefined) return false;
  const right = from.position.x + from.size.width;
  const low = Math.max(from.position.y + from.size.height, to.position.y + to.size.height);
  return (
    x > Math.min(right, to.position.x) - SEARCH_MARGIN &&
    x < Math.max(right, to.position.x) + SEARCH_MARGIN &&
    y > Math.min(from.position.y, to.position.y) - SEARCH_MARGIN &&
    y < low + SEARCH_MARGIN
  );
}

export function addPoint(editor: Editor, link: string, at: Point): void {
  const after = nearnessTo(editor, link, at)?.after ?? 0;
  let key = "";
  edit(editor, "Add a reroute point", (draft) => {
    key = addReroute(draft, link, { x: Math.round(at.x), y: Math.round(at.y) }, after);
  });
  useWiring.setState({ points: [key] });
}

export function removePoints(editor: Editor, keys: readonly string[]): void {
  edit(editor, "Remove the reroute points", (draft) => removeReroutes(draft, keys));
  useWiring.setState({ points: [] });
}

export function straightenWires(editor: Editor, links: readonly string[]): void {
  edit(editor, "Straighten the wire", (draft) => {
    for (const key of links) straighten(draft, key);
  });
}

/** Makes one portal per source of these wires; for a single one, editing of its name starts. */
export function nameWires(editor: Editor, links: readonly string[]): void {
  const { graph } = editor.tab;
  edit(editor, "Turn into a portal", (draft) => {
    for (const key of links) {
      const link = draft.links[key];
      if (link === undefined || link.portal !== null) continue;
      const source = draft.nodes[link.from];
      const sibling = source?.outputs[link.fromSlot]?.links
        .map((each) => draft.links[each]?.portal)
        .find((each) => each != null);
      makePortal(draft, [key], sibling ?? freePortalName(draft, link, nameFor(graph, link)));
    }
  });
  useWiring.setState({ menu: null, naming: links[0] ?? null });
}

function nameFor(graph: Graph, link: Link): string {
  const source = graph.nodes[link.from];
  const schema = source && schemaOf(source.type);
  return (
    source?.outputs[link.fromSlot]?.name ||
    schema?.outputs[link.fromSlot]?.name ||
    link.type.toLowerCase()
  );
}

export function renameWires(editor: Editor, link: string, name: string): void {
  useWiring.setState({ naming: null });
  if (name !== "") edit(editor, "Rename the portal", (draft) => renamePortal(draft, link, name));
}

/** Draws the lines of these wires again, and of all in the same portals. */
export function showWires(editor: Editor, links: readonly string[]): void {
  const { graph } = editor.tab;
  const all = links.flatMap((key) => {
    const link = graph.links[key];
    return link === undefined ? [] : portalOf(graph, link);
  });
  edit(editor, "Turn the portal into a wire", (draft) => drawAsWire(draft, all));
  useWiring.setState({ lit: [], menu: null });
}

/**
 * Moves the view from one end of a named wire to the other; from the source, to each target in
 * turn.
 */
export function jumpAlong(editor: Editor, key: string, from: "source" | "target"): void {
  const { graph, selected } = editor.tab;
  const link = graph.links[key];
  if (link === undefined) return;
  const targets = portalOf(graph, link).map((each) => graph.links[each]?.to ?? link.to);
  const next = targets[(targets.indexOf(selected[0] ?? "") + 1) % targets.length] ?? link.to;
  const to = from === "target" ? link.from : next;
  select(editor, [to]);
  canvas()?.fit([to]);
}

interface InsertionSockets {
  input: string;
  slot: number;
}

/** The sockets by which a node fits into a wire; null where it does not. */
export function insertionSockets(
  editor: Editor,
  schema: NodeSchema,
  key: string,
  node?: GraphNode,
): InsertionSockets | null {
  const { graph } = editor.tab;
  const link = graph.links[key];
  const [source, target] = [graph.nodes[link?.from ?? ""], graph.nodes[link?.to ?? ""]];
  const name = target?.inputs[link?.toSlot ?? -1]?.name;
  if (link === undefined || source === undefined || target === undefined) return null;
  if (name === undefined || node?.key === link.from || node?.key === link.to) return null;
  const sourceType = outputType(source, schemaOf(source.type), link.fromSlot);
  const targetType = inputType(target, schemaOf(target.type), name);
  const input = inputsOf(schema, node)
    .filter((each) => each.section !== "hidden" && !isLinked(node, each.name))
    .map((each) => ({ each, near: closeness(sourceType, each.type) + (isSocket(each) ? 0.5 : 0) }))
    .filter(({ near }) => near >= 1)
    .sort((one, other) => other.near - one.near)[0];
  const output = schema.outputs
    .map((each, slot) => ({ slot, near: closeness(each.type, targetType) }))
    .filter(({ near }) => near >= (input?.each.type === "*" ? 0 : 1))
    .sort((one, other) => other.near - one.near)[0];
  return input === undefined || output === undefined
    ? null
    : { input: input.each.name, slot: output.slot };
}

function isLinked(node: GraphNode | undefined, name: string): boolean {
  return node?.inputs.some((each) => each.name === name && each.link !== null) ?? false;
}

/** Inserts an existing node into a wire where it fits. Part of the edit that moved it. */
export function insertNode(
  editor: Editor,
  node: string,
  link: string,
  at: Point,
  thread?: string,
): boolean {
  const found = editor.tab.graph.nodes[node];
  const schema = found && schemaOf(found.type);
  const entry = schema === undefined ? null : insertionSockets(editor, schema, link, found);
  if (schema === undefined || entry === null) return false;
  const after = nearnessTo(editor, link, at)?.after ?? 0;
  edit(
    editor,
    "Insert into the wire",
    (draft) => insertInDraft(draft, schema, node, link, entry, after),
    thread,
  );
  return true;
}

type Draft = Parameters<Parameters<typeof edit>[2]>[0];

function insertInDraft(
  draft: Draft,
  schema: NodeSchema,
  key: string,
  link: string,
  entry: InsertionSockets,
  after: number,
): void {
  const node = draft.nodes[key];
  const described = inputsOf(schema, node).find((each) => each.name === entry.input);
  if (node === undefined || described === undefined) return;
  fillOutputs(node, entry.slot);
  insertIntoLink(draft, link, {
    into: {
      node: key,
      name: described.name,
      type: described.type,
      isWidget: isWidget(described),
    },
    from: { node: key, slot: entry.slot },
    type: outputType(node, schema, entry.slot),
    after,
  });
}

/** Adds a node in the middle of a wire. */
export function addIntoWire(
  editor: Editor,
  schema: NodeSchema,
  link: string,
  at: Point,
): string | null {
  const entry = insertionSockets(editor, schema, link);
  if (entry === null) {
    notify(t("{{node}} does not fit into this wire.", { node: schema.display_name }));
    return null;
  }
  const after = nearnessTo(editor, link, at)?.after ?? 0;
  let key = "";
  edit(editor, labelOf("Insert {{node}}", { node: schema.display_name }), (draft) => {
    const node = createNode(schema, draft.lastNodeId + 1, { x: at.x - 120, y: at.y });
    key = node.key;
    addNode(draft, node);
    insertInDraft(draft, schema, key, link, entry, after);
  });
  countUse(schema.class_type);
  select(editor, [key]);
  return key;
}

/** Detaches nodes from their wires, which then connect their neighbours. */
export function pullOutOfWires(editor: Editor, keys: readonly string[], thread?: string): void {
  if (linksAround(editor.tab.graph, keys).length === 0) return;
  edit(editor, "Pull out of the wires", (draft) => detachNodes(draft, keys), thread);
}

export function removeWires(editor: Editor, links: readonly string[]): void {
  edit(editor, "Disconnect", (draft) => {
    for (const key of links) removeLink(draft, key);
  });
  useWiring.setState({ menu: null });
}

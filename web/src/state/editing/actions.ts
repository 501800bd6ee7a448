/** The user's basic edits of the graph; each is one entry of the log. */

import type { NodeSchema } from "../../api/types";
import {
  addNode,
  connect,
  removeAndReconnect,
  removeInputs,
  removeLink,
  removeNodes,
  setTitle,
  setValue,
} from "../../document/edit";
import { labelOf } from "../../document/editLabel";
import type { Graph, Point, Workflow } from "../../document/graph";
import type { Json } from "../../document/json";
import { routeThrough } from "../../document/reroute";
import { t } from "../../words/words";
import { isBlueprint, placeBlueprint } from "../catalog/blueprints";
import { type Pulled, socketsFor } from "../finding/fitting";
import { freeBelow } from "../finding/placing";
import { comboForField, inputsOf, isAutogrown } from "../nodes/inputs";
import {
  bodyAt,
  GRID,
  inputNamed,
  inputType,
  outputType,
  shapeOf,
  TITLE,
  WIDTH,
} from "../nodes/shape";
import { convertersFor, feeds, refusal } from "../nodes/sockets";
import { setPrimitiveType, valuesForHolder } from "../nodes/valueNodes";
import { isSocket, isWidget, layoutOf, newNode } from "../nodes/widgets";
import type { Editor } from "../session/editor";
import { edit, graphAt, type Place, schemaOf, select, tabOf, useStudio } from "../session/studio";
import { countUse, notify } from "../session/view";
import { refusalToNest } from "./levels";
import { resolveTypes } from "./match";
import { withPort } from "./newPort";

export interface Wire {
  from: string;
  slot: number;
  to: string;
  input: string;
}

/** The reason why a wire is refused; null where it is allowed. */
export function refusalOf(editor: Editor, { from, slot, to, input }: Wire): string | null {
  const { graph } = editor.tab;
  const [source, target] = [graph.nodes[from], graph.nodes[to]];
  if (source === undefined || target === undefined) return t("This node does not exist.");
  return refusal(graph, {
    from,
    fromType: outputType(source, schemaOf(source.type), slot),
    to,
    toName: input,
    toType: inputType(target, schemaOf(target.type), input),
  });
}

/**
 * The classes of nodes that could convert between the two ends of a wire whose types do not fit.
 */
export function convertersOf(editor: Editor, wire: Wire): NodeSchema[] {
  const { graph } = editor.tab;
  if (wire.from === wire.to || feeds(graph, wire.to, wire.from)) return [];
  const [fromType, toType] = typesOf(editor, wire);
  return convertersFor(useStudio.getState().catalog, fromType, toType);
}

/** The types at the two ends of a wire. */
function typesOf(editor: Editor, { from, slot, to, input }: Wire): [string, string] {
  const { nodes } = editor.tab.graph;
  const [source, target] = [nodes[from], nodes[to]];
  if (source === undefined || target === undefined) return ["*", "*"];
  return [
    outputType(source, schemaOf(source.type), slot),
    inputType(target, schemaOf(target.type), input),
  ];
}

/** Adds a wire, or reports why it is refused and offers nodes that convert. */
export function connectWire(editor: Editor, wire: Wire): void {
  const reason = refusalOf(editor, wire);
  if (reason === null) {
    edit(editor, "Connect", (draft, workflow) => connectInDraft(draft, workflow, wire));
    return;
  }
  notifyRefused(
    editor,
    reason,
    convertersOf(editor, wire).map((schema) => ({ schema, wire })),
  );
}

/**
 * Reports why a wire is refused, and offers nodes that convert. The new wires replace the `moved`
 * ones.
 */
export function notifyRefused(
  editor: Editor,
  reason: string,
  between: readonly { schema: NodeSchema; wire: Wire }[],
  moved: readonly string[] = [],
): void {
  const [first, ...others] = between.map(({ schema, wire }) => ({
    label: t("Insert {{node}} between", { node: schema.display_name }),
    run: () => insertBetween(editor, schema, wire, ...typesOf(editor, wire), moved),
  }));
  notify(reason, first, others);
}

type DraftGraph = Parameters<Parameters<typeof edit>[2]>[0];

export function connectInDraft(draft: DraftGraph, workflow: Workflow, wire: Wire): void {
  const { from, slot, to, input } = withPort(draft, workflow, wire);
  const [source, target] = [draft.nodes[from], draft.nodes[to]];
  if (source === undefined || target === undefined) return;
  const schema = schemaOf(target.type);
  const described = inputNamed(target, schema, input);
  fillOutputs(source, slot);
  connect(
    draft,
    { node: from, slot },
    {
      node: to,
      name: input,
      type: inputType(target, schema, input),
      isWidget: described !== undefined && isWidget(described),
    },
    outputType(source, schemaOf(source.type), slot),
  );
  resolveTypes(draft, to);
  resolveTypes(draft, from);
}

/** Adds missing output slots from the class, as files may omit outputs without links. */
export function fillOutputs(node: DraftGraph["nodes"][string], slot: number): void {
  const described = schemaOf(node.type)?.outputs ?? [];
  while (node.outputs.length <= slot) {
    const { name, type } = described[node.outputs.length] ?? { name: "", type: "*" };
    node.outputs.push({ name, type, links: [], saved: { name, type, links: [] } });
  }
}

export function insertBetween(
  editor: Editor,
  schema: NodeSchema,
  wire: Wire,
  fromType: string,
  toType: string,
  moved: readonly string[] = [],
): void {
  const { graph } = editor.tab;
  const [source, target] = [graph.nodes[wire.from], graph.nodes[wire.to]];
  const matchingInput = schema.inputs.find((each) => each.type === fromType);
  const outputSlot = schema.outputs.findIndex((each) => each.type === toType);
  if (source === undefined || target === undefined || matchingInput === undefined) return;
  const between = {
    x: (source.position.x + source.size.width + target.position.x) / 2 - WIDTH / 2,
    y: (source.position.y + target.position.y) / 2,
  };
  const at = bodyAt(freeBelow(graph, { x: between.x, y: between.y - TITLE }));
  const others = schema.inputs.filter(
    (each) => each !== matchingInput && each.section === "required" && isSocket(each),
  );
  edit(editor, labelOf("Insert {{node}}", { node: schema.display_name }), (draft, workflow) => {
    const node = createNode(schema, draft.lastNodeId + 1, at);
    addNode(draft, node);
    for (const key of moved) removeLink(draft, key);
    connectInDraft(draft, workflow, { ...wire, to: node.key, input: matchingInput.name });
    for (const { name, type } of others) {
      const only = onlySource(graph, type, wire.to);
      if (only !== null) connectInDraft(draft, workflow, { ...only, to: node.key, input: name });
    }
    connectInDraft(draft, workflow, {
      from: node.key,
      slot: outputSlot,
      to: wire.to,
      input: wire.input,
    });
  });
}

/**
 * The only output of this type, such as the graph's one VAE; null where there is none or several.
 */
function onlySource(graph: Graph, type: string, before: string): Omit<Wire, "to" | "input"> | null {
  const found = graph.order.flatMap((key) => {
    const node = graph.nodes[key];
    if (node === undefined || key === before || feeds(graph, before, key)) return [];
    const schema = schemaOf(node.type);
    const count = Math.max(node.outputs.length, schema?.outputs.length ?? 0);
    return Array.from({ length: count }, (_, slot) => ({ from: key, slot })).filter(
      ({ slot }) => outputType(node, schema, slot) === type,
    );
  });
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** A node of this class, with the height of its contents. */
export function createNode(schema: NodeSchema, id: number, at: Point) {
  const node = newNode(schema, id, { x: snapped(at.x), y: snapped(at.y) }, WIDTH);
  const { height } = shapeOf(node, schema, false);
  return { ...node, size: { width: WIDTH, height: height - TITLE } };
}

function snapped(value: number): number {
  return Math.round(value / GRID) * GRID;
}

/**
 * Adds a node. A pulled wire is connected to the given socket, or to the one that fits best.
 * Returns the node's key.
 */
export function placeNode(
  editor: Editor,
  schema: NodeSchema,
  corner: Point,
  pulled: Pulled | null = null,
  socket: string | undefined = pulled === null ? undefined : socketsFor(schema, pulled)[0],
): string {
  let key = "";
  const nestRefusal = refusalToNest(editor, schema.class_type);
  if (nestRefusal !== null) {
    notify(nestRefusal);
    return key;
  }
  if (isBlueprint(schema)) return addBlueprint(editor, schema, corner, pulled);
  edit(editor, labelOf("Add {{name}}", { name: schema.display_name }), (draft, workflow) => {
    const node = createNode(schema, draft.lastNodeId + 1, bodyAt(corner));
    key = node.key;
    addNode(draft, node);
    if (pulled === null || socket === undefined) return;
    adoptFieldValue(editor, draft, node.key, schema, pulled);
    connectInDraft(draft, workflow, wireTo(key, socket, pulled));
    if (pulled.through !== undefined) routeThrough(draft, pulled.through, key, socket);
  });
  countUse(schema.class_type);
  select(editor, [key]);
  return key;
}

/** A node that holds a value takes over the value of the field it is connected to. */
function adoptFieldValue(
  editor: Editor,
  draft: DraftGraph,
  key: string,
  schema: NodeSchema,
  pulled: Pulled,
): void {
  const target = editor.tab.graph.nodes[pulled.node];
  const holder = draft.nodes[key];
  if (pulled.side !== "input" || target === undefined || holder === undefined) return;
  const values = valuesForHolder(schema, target, schemaOf(target.type), pulled.socket);
  const input = inputNamed(target, schemaOf(target.type), pulled.socket);
  if (input === undefined || Object.keys(values).length === 0) return;
  Object.assign(holder.values, values);
  setPrimitiveType(holder, input);
}

/**
 * Adds a node with these values at the place it was requested for, even if another level is shown
 * now.
 */
export function placeNodeWithValues(
  place: Place,
  schema: NodeSchema,
  corner: Point,
  values: Readonly<Record<string, Json>>,
): void {
  let key = "";
  edit(place, labelOf("Add {{name}}", { name: schema.display_name }), (draft) => {
    const node = createNode(schema, draft.lastNodeId + 1, bodyAt(corner));
    key = node.key;
    addNode(draft, { ...node, values: { ...node.values, ...values } });
  });
  countUse(schema.class_type);
  if (tabOf(place.id)?.level.join(":") === place.level.join(":")) select(place, [key]);
}

/** The wire is added once the subgraph exists: two edits that are undone together. */
function addBlueprint(
  editor: Editor,
  schema: NodeSchema,
  corner: Point,
  pulled: Pulled | null,
): string {
  const thread = `blueprint ${crypto.randomUUID()}`;
  const key = placeBlueprint(editor, schema, bodyAt(corner), thread);
  const placed = schemaOf(editor.tab.graph.nodes[key ?? ""]?.type ?? "");
  const socket =
    pulled === null || placed === undefined ? undefined : socketsFor(placed, pulled)[0];
  if (key === null || pulled === null || socket === undefined) return key ?? "";
  const wire = wireTo(key, socket, pulled);
  edit(
    editor,
    labelOf("Add {{name}}", { name: schema.display_name }),
    (draft, workflow) => connectInDraft(draft, workflow, wire),
    thread,
  );
  return key;
}

function wireTo(key: string, socket: string, pulled: Pulled): Wire {
  return pulled.side === "output"
    ? { from: pulled.node, slot: Number(pulled.socket), to: key, input: socket }
    : { from: key, slot: Number(socket), to: pulled.node, input: pulled.socket };
}

export function changeValue(
  editor: Editor,
  node: string,
  name: string,
  value: Json,
  thread?: string,
): void {
  changeValueAt(editor.tab, node, name, value, thread);
}

/** Sets a value that arrives later, when its document may no longer be shown. */
export function changeValueAt(
  place: Place,
  node: string,
  name: string,
  value: Json,
  thread?: string,
): void {
  const found = graphAt(place)?.nodes[node];
  if (found === undefined) return;
  const schema = schemaOf(found.type);
  const layout = schema === undefined ? [] : layoutOf(schema);
  const combo = schema === undefined ? null : comboForField(schema, found, name);
  // A chosen entry stays chosen while it is typed, and the first entry is chosen automatically.
  const isChosen = combo !== null && (found.values[combo] ?? "") === (found.values[name] ?? "");
  edit(
    place,
    labelOf("Change {{name}}", { name }),
    (draft) => {
      setValue(draft, node, name, value, layout);
      if (isChosen) setValue(draft, node, combo, value, layout);
      if (schema !== undefined) removeObsoleteInputs(draft, node, schema, name);
    },
    thread,
  );
}

/** Removes the inputs that only the previous choice had, and the wires into them. */
function removeObsoleteInputs(
  draft: DraftGraph,
  key: string,
  schema: NodeSchema,
  choice: string,
): void {
  const node = draft.nodes[key];
  if (node === undefined || !isAutogrown(schema, `${choice}.`)) return;
  // A copy of the node, as caches by node would be out of date for a draft that changes in place.
  const current = new Set(inputsOf(schema, { ...node }).map((each) => each.name));
  const obsolete = node.inputs
    .map((each) => each.name)
    .filter((name) => name.startsWith(`${choice}.`) && !current.has(name));
  if (obsolete.length > 0) removeInputs(draft, key, obsolete);
}

export function rename(editor: Editor, node: string, title: string): void {
  edit(editor, "Rename", (draft) => setTitle(draft, node, title));
}

export function removeSelected(editor: Editor, reconnect = false): void {
  const { selected, selectedLinks } = editor.tab;
  if (selected.length === 0 && selectedLinks.length === 0) return;
  edit(editor, "Delete", (draft) => {
    for (const key of selectedLinks) removeLink(draft, key);
    if (reconnect) removeAndReconnect(draft, selected);
    else removeNodes(draft, selected);
  });
  select(editor, []);
}

export function disconnect(editor: Editor, link: string): void {
  edit(editor, "Disconnect", (draft) => removeLink(draft, link));
}

/** The user's edits of subgraphs, as entries of the log. */

import { nearestFree } from "../../document/arrange";
import { copyDefinition, renameDefinition } from "../../document/definitions";
import {
  type Definition,
  type Draft,
  type GraphNode,
  isBoundary,
  type Point,
  subgraphOf,
  type Workflow,
} from "../../document/graph";
import { recordOrigin } from "../../document/instanceOrigin";
import type { InnerWidget } from "../../document/instances";
import { movePort, namePort, portOfWidget, removePort, type Side } from "../../document/ports";
import { migratePromotions, promote, unifyValues, unpromote } from "../../document/promote";
import { makeSubgraph } from "../../document/subgraph";
import { unpack } from "../../document/unpack";
import { t } from "../../words/words";
import { bodyAt, inputType } from "../nodes/shape";
import type { Editor } from "../session/editor";
import { edit, endThread, layout, schemaOf, select } from "../session/studio";
import { boxesOf } from "./boxes";
import { duplicateSelected } from "./clipboard";
import { mainFieldsOf } from "./mainFields";

/** The selected nodes that a subgraph can be made of. */
export function packable(editor: Editor): string[] {
  return editor.tab.selected.filter((key) => !isBoundary(key));
}

/** The selected instances of subgraphs. */
export function selectedInstances(editor: Editor): GraphNode[] {
  const { graph, workflow, selected } = editor.tab;
  return selected.flatMap((key) => {
    const node = graph.nodes[key];
    return node !== undefined && subgraphOf(workflow.definitions, node.type) !== undefined
      ? [node]
      : [];
  });
}

export function packSelected(editor: Editor): void {
  const keys = packable(editor);
  if (keys.length === 0) return;
  const id = crypto.randomUUID();
  const thread = `subgraph ${id}`;
  let made = "";
  const make = (draft: Draft, workflow: Workflow) => {
    const name = freeTitle(workflow, t("Subgraph"));
    made = makeSubgraph(workflow, draft, keys, { id, name });
    showMainFields(workflow, id);
  };
  edit(editor, "Make a subgraph", make, thread);
  // The instance's size is known only once its subgraph exists.
  const place = freePlace(editor, made);
  if (place !== null)
    edit(editor, "Make a subgraph", (draft) => recordOrigin(draft, made, place), thread);
  endThread(editor);
  select(editor, [made]);
}

/** Shows prompts, seeds, sizes and the like outside, as the user would otherwise do one by one. */
function showMainFields(workflow: Workflow, id: string): void {
  const definition = workflow.definitions[id];
  if (definition === undefined) return;
  for (const { label, ...inner } of mainFieldsOf(definition, schemaOf)) {
    promote(workflow, definition, inner, typeOf);
    const slot = portOfWidget(workflow, definition, inner);
    if (label !== null && slot >= 0) namePort(workflow, definition, "inputs", slot, label);
  }
}

/** The free position that keeps a node's centre nearest to where it is. */
function freePlace(editor: Editor, key: string): Point | null {
  const node = editor.tab.graph.nodes[key];
  const box = boxesOf(editor, [key]).get(key);
  if (node === undefined || box === undefined) return null;
  const x = Math.round(node.position.x + (node.size.width - box.width) / 2);
  const y = Math.round(node.position.y + (node.size.height - box.height) / 2);
  const others = [...boxesOf(editor)].flatMap(([each, other]) => (each === key ? [] : [other]));
  return bodyAt(nearestFree({ ...box, x, y }, others));
}

function freeTitle(workflow: Workflow, requested: string): string {
  const taken = new Set(Object.values(workflow.definitions).map((each) => each.name));
  let name = requested;
  for (let count = 2; taken.has(name); count += 1) name = `${requested} ${count}`;
  return name;
}

export function unpackSelected(editor: Editor): void {
  const instances = selectedInstances(editor);
  const made: string[] = [];
  edit(editor, "Unpack the subgraph", (draft, workflow) => {
    for (const { key } of instances) made.push(...unpack(workflow, draft, key, layout));
  });
  select(editor, made);
}

/** Gives these instances a subgraph of their own: editing it then changes no other instance. */
export function separateSelected(editor: Editor): void {
  const instances = selectedInstances(editor);
  edit(editor, "Give it a subgraph of its own", (draft, workflow) => {
    for (const { key, type } of instances) separate(draft, workflow, key, type);
  });
}

function separate(
  draft: Parameters<typeof copyDefinition>[1],
  workflow: Workflow,
  key: string,
  type: string,
): void {
  const name = freeTitle(workflow, subgraphOf(workflow.definitions, type)?.name ?? t("Subgraph"));
  copyDefinition(workflow, draft, key, { id: crypto.randomUUID(), name });
}

/** Duplicates the selected instances, with a subgraph of their own for the copies. */
export function duplicateSeparately(editor: Editor): void {
  duplicateSelected(editor);
  separateSelected(editor);
}

export function renameSubgraph(editor: Editor, id: string, name: string): void {
  changeDefinition(editor, "Rename the subgraph", id, (_, definition) =>
    renameDefinition(definition, name),
  );
}

type Change = (workflow: Workflow, definition: Definition) => void;

function changeDefinition(editor: Editor, label: string, id: string, change: Change): void {
  edit(editor, label, (_, workflow) => {
    const definition = workflow.definitions[id];
    if (definition !== undefined) change(workflow, definition);
  });
}

export function labelPort(
  editor: Editor,
  id: string,
  side: Side,
  slot: number,
  label: string,
): void {
  changeDefinition(editor, "Rename a port", id, (workflow, definition) =>
    namePort(workflow, definition, side, slot, label),
  );
}

export function reorderPort(
  editor: Editor,
  id: string,
  side: Side,
  from: number,
  to: number,
): void {
  changeDefinition(editor, "Move a port", id, (workflow, definition) => {
    if (side === "inputs") migratePromotions(workflow, definition, typeOf);
    movePort(workflow, definition, side, from, to);
  });
}

export function dropPort(editor: Editor, id: string, side: Side, slot: number): void {
  const { level } = editor.tab;
  changeDefinition(editor, "Remove a port", id, (workflow, definition) => {
    if (side === "inputs") {
      migratePromotions(workflow, definition, typeOf);
      unifyValues(workflow, definition, slot, level);
    }
    removePort(workflow, definition, side, slot);
  });
}

export function showWidget(editor: Editor, id: string, inner: InnerWidget, isShown: boolean): void {
  const { level } = editor.tab;
  const label = isShown ? "Show a widget on the subgraph" : "Hide a widget on the subgraph";
  changeDefinition(editor, label, id, (workflow, definition) => {
    if (isShown) promote(workflow, definition, inner, typeOf);
    else unpromote(workflow, definition, inner, typeOf, level);
  });
}

/** Resets an instance's value to that of the inner widget. */
export function resetValue(editor: Editor, key: string, name: string): void {
  edit(editor, "Reset to the subgraph's value", (draft) => {
    const node = draft.nodes[key];
    if (node !== undefined) node.values[name] = null;
  });
}

function typeOf(node: GraphNode, widget: string): string {
  return inputType(node, schemaOf(node.type), widget);
}

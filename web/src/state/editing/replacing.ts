/**
 * Replaces nodes by ones of another class, and recreates nodes from the current definition of their
 * class.
 */

import type { NodeSchema } from "../../api/types";
import { labelOf } from "../../document/editLabel";
import type { Graph, GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { type Match, matchNode, type NewSockets, replaceNode } from "../../document/replace";
import { swapInputs } from "../../document/rewire";
import { t } from "../../words/words";
import { inputsOf } from "../nodes/inputs";
import { titleOf } from "../nodes/naming";
import { inputType, outputType } from "../nodes/shape";
import { fits } from "../nodes/sockets";
import { CONTROLS, defaultOf, isSeed, isWidget } from "../nodes/widgets";
import { isInstance } from "../outcomes/places";
import type { Editor } from "../session/editor";
import { edit, schemaOf, select } from "../session/studio";
import { countUse, notify } from "../session/view";
import { createNode } from "./actions";

interface Plan {
  replacement: GraphNode;
  sockets: NewSockets;
  match: Match;
  /** The number of links and values that are kept. */
  kept: number;
  lost: number;
}

/** What a node would keep as a node of this class. */
export function planOf(graph: Graph, old: GraphNode, schema: NodeSchema): Plan {
  const sockets: NewSockets = {
    inputs: inputsOf(schema, old.type === schema.class_type ? old : undefined)
      .filter((each) => each.section !== "hidden")
      .map((each) => ({ name: each.name, type: each.type, isWidget: isWidget(each) })),
    outputs: schema.outputs,
  };
  const before = schemaOf(old.type);
  const node = createNode(schema, 0, old.position);
  const match = matchNode(graph, old, node, sockets, {
    fits,
    sourceType: (key) => {
      const link = graph.links[key];
      const source = graph.nodes[link?.from ?? ""];
      return link === undefined || source === undefined
        ? "*"
        : outputType(source, schemaOf(source.type), link.fromSlot);
    },
    targetType: (key) => {
      const link = graph.links[key];
      const target = graph.nodes[link?.to ?? ""];
      const name = target?.inputs[link?.toSlot ?? -1]?.name;
      return target === undefined || name === undefined
        ? "*"
        : inputType(target, schemaOf(target.type), name);
    },
    acceptsValue: (name, value) => acceptsValue(schema, name, value),
    isSameKind: (one, other) => {
      const kind = kindOf(before, one);
      return kind !== null && kind === kindOf(schema, other);
    },
    isReported: (name) => {
      const input = before?.inputs.find((each) => each.name === name);
      return input === undefined ? !name.startsWith("#") : old.values[name] !== defaultOf(input);
    },
  });
  const links = Object.keys(match.inputs).length + Object.keys(match.outputs).length;
  return {
    replacement: node,
    sockets,
    match,
    kept: links * 2 + Object.keys(match.values).length,
    lost: match.lostLinks.length * 2 + match.lostValues.length,
  };
}

function kindOf(schema: NodeSchema | undefined, name: string): string | null {
  const input = schema?.inputs.find((each) => each.name === name);
  if (input === undefined || !isWidget(input)) return null;
  if (isSeed(input)) return "seed";
  return `${input.type} ${input.options.multiline === true}`;
}

/** Whether a widget accepts this value; a value missing from a list of choices is not accepted. */
function acceptsValue(schema: NodeSchema, name: string, value: Json): boolean {
  const input = schema.inputs.find((each) => each.name === name);
  if (input === undefined) return (CONTROLS as readonly Json[]).includes(value);
  if (!isWidget(input)) return false;
  const { min, max } = input.options;
  switch (input.type) {
    case "COMBO":
      return input.choices?.includes(value) ?? typeof value === "string";
    case "INT":
    case "FLOAT":
      return (
        (typeof value === "number" || typeof value === "bigint") &&
        (typeof min !== "number" || value >= min) &&
        (typeof max !== "number" || value <= max)
      );
    case "BOOLEAN":
      return typeof value === "boolean";
    default:
      return input.type !== "STRING" || typeof value === "string";
  }
}

/** What would be lost, as a sentence; null where nothing would. */
export function lossOf(graph: Graph, old: GraphNode, { match }: Plan): string | null {
  const links = match.lostLinks.flatMap((key) => {
    const link = graph.links[key];
    if (link === undefined) return [];
    const isInput = link.to === old.key;
    const name = isInput
      ? old.inputs[link.toSlot]?.name
      : old.outputs[link.fromSlot]?.name || link.type;
    const other = graph.nodes[isInput ? link.from : link.to];
    const title = other === undefined ? "?" : titleOf(other, schemaOf(other.type));
    return isInput
      ? t("the wire from {{node}} to {{name}}", { node: title, name: name ?? "?" })
      : t("the wire from {{name}} to {{node}}", { node: title, name: name ?? "?" });
  });
  const values = match.lostValues.map((name) => t("the value of {{name}}", { name }));
  const all = [...links, ...values];
  return all.length === 0 ? null : t("Would be lost: {{things}}.", { things: all.join(", ") });
}

/** Replaces each of these nodes by one of this class. */
export function replaceNodes(editor: Editor, keys: readonly string[], schema: NodeSchema): void {
  edit(editor, labelOf("Replace with {{node}}", { node: schema.display_name }), (draft) => {
    for (const key of keys) replaceInDraft(draft, key, schema);
  });
  countUse(schema.class_type);
  select(editor, keys);
}

function replaceInDraft(draft: Graph, key: string, schema: NodeSchema): void {
  const old = draft.nodes[key];
  if (old === undefined) return;
  const plan = planOf(draft, old, schema);
  replaceNode(draft, key, plan.replacement, plan.sockets, plan.match);
  const node = draft.nodes[key];
  if (node === undefined) return;
  const { width, height } = plan.replacement.size;
  // Not narrower than before, so that the layout beside it does not change.
  node.size = { width: Math.max(old.size.width, width), height };
  if (old.type !== schema.class_type) return;
  node.saved = old.saved;
  node.size = { width: old.size.width, height: Math.max(old.size.height, height) };
}

/** Recreates nodes from the current definition of their class, keeping what fits. */
export function recreateNodes(editor: Editor, keys: readonly string[]): void {
  const tab = editor.tab;
  const { graph } = tab;
  // The inputs of an instance follow its subgraph instead.
  const installed = keys.filter(
    (key) => !isInstance(tab, key) && schemaOf(graph.nodes[key]?.type ?? "") !== undefined,
  );
  if (installed.length === 0) {
    notify(t("None of these nodes is installed here, so they cannot be recreated."));
    return;
  }
  edit(editor, "Recreate", (draft) => {
    for (const key of installed) {
      const schema = schemaOf(draft.nodes[key]?.type ?? "");
      if (schema !== undefined) replaceInDraft(draft, key, schema);
    }
  });
}

/**
 * The two inputs of a node that can be swapped: the first two of one type, at least one connected.
 */
export function swappableInputs(node: GraphNode): [string, string] | null {
  for (const [index, one] of node.inputs.entries()) {
    const other = node.inputs
      .slice(index + 1)
      .find((each) => each.type === one.type && (each.link !== null || one.link !== null));
    if (other !== undefined) return [one.name, other.name];
  }
  return null;
}

export function swapInputsOf(editor: Editor, key: string): void {
  const node = editor.tab.graph.nodes[key];
  const pair = node === undefined ? null : swappableInputs(node);
  if (pair === null) return;
  edit(editor, "Swap the inputs", (draft) => swapInputs(draft, key, ...pair));
}

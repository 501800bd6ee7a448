/** Actions on a widget's value: reset, copy, paste, feed from a node, disconnect. */

import type { InputSchema } from "../../api/types";
import { addNode, connect, removeLink } from "../../document/edit";
import { labelOf } from "../../document/editLabel";
import { linkInto } from "../../document/graph";
import { equalJson, type Json, parseJson, writeJson } from "../../document/json";
import { definitionAt } from "../../document/levels";
import { portOfWidget } from "../../document/ports";
import { t } from "../../words/words";
import { changeValue, changeValueAt } from "../editing/actions";
import { widgetType } from "../nodes/fieldTypes";
import { currentValue, WIDTH } from "../nodes/shape";
import { holdersOf, setPrimitiveType, valuesForHolder } from "../nodes/valueNodes";
import { defaultOf, newNode } from "../nodes/widgets";
import type { Editor } from "../session/editor";
import { edit, endThread, schemaOf, select } from "../session/studio";
import { notify, notifyError } from "../session/view";

const GAP = 40;

type FieldMark = "reset" | "copy" | "paste" | "unlink" | "feed" | "show" | "hide";

interface Item {
  mark: FieldMark;
  label: string;
  disabled?: boolean;
  separated?: boolean;
  run: () => void;
}

export function isChanged(editor: Editor, node: string, input: InputSchema): boolean {
  const found = editor.tab.graph.nodes[node];
  return found !== undefined && !equalJson(currentValue(found, input), defaultOf(input));
}

export function resetField(editor: Editor, node: string, input: InputSchema): void {
  changeValue(editor, node, input.name, defaultOf(input));
  endThread(editor);
}

/** The menu of a field. */
export function menuOf(editor: Editor, node: string, input: InputSchema): Item[] {
  const { graph } = editor.tab;
  const found = graph.nodes[node];
  if (found === undefined) return [];
  const link = linkInto(graph, found, input.name);
  const holder = valueNodeClass(input);
  const items: Item[] = [
    {
      mark: "reset",
      label: t("Reset to {{value}}", { value: shortText(defaultOf(input)) }),
      disabled: !isChanged(editor, node, input),
      run: () => resetField(editor, node, input),
    },
    { mark: "copy", label: t("Copy the value"), run: () => void copyValue(editor, node, input) },
    {
      mark: "paste",
      label: t("Paste a value"),
      disabled: link !== undefined,
      run: () => void pasteFieldValue(editor, node, input),
    },
  ];
  if (link !== undefined) {
    items.push({
      mark: "unlink",
      label: t("Remove the wire and show the field"),
      separated: true,
      run: () => edit(editor, "Unlink", (draft) => removeLink(draft, link.key)),
    });
  } else if (holder !== undefined && input.options.socketless !== true) {
    items.push({
      mark: "feed",
      label: t("Convert to an input with a new value node"),
      separated: true,
      run: () => convertToInput(editor, node, input),
    });
  }
  const outside = promotionItem(editor, node, input, link !== undefined);
  return outside === null ? items : [...items, outside];
}

/** For a field inside a subgraph: whether instances show it too. */
function promotionItem(
  editor: Editor,
  node: string,
  input: InputSchema,
  isLinked: boolean,
): Item | null {
  const { workflow, level } = editor.tab;
  const definition = definitionAt(workflow, level);
  if (definition === undefined || input.options.socketless === true) return null;
  const inner = { node, widget: input.name };
  const isShown = portOfWidget(workflow, definition, inner) >= 0;
  if (isLinked && !isShown) return null;
  return {
    mark: isShown ? "hide" : "show",
    label: isShown ? t("Hide it on the subgraph") : t("Show it on the subgraph"),
    run: () => {
      import("../editing/subgraphs").then(
        ({ showWidget }) => showWidget(editor, definition.id, inner, !isShown),
        notifyError,
      );
    },
  };
}

function valueNodeClass(input: InputSchema): string | undefined {
  return holdersOf(input).find((each) => schemaOf(each) !== undefined);
}

/** Adds a node that feeds the field with its current value, so that several fields can share it. */
export function convertToInput(editor: Editor, key: string, input: InputSchema): void {
  const node = editor.tab.graph.nodes[key];
  const schema = schemaOf(valueNodeClass(input) ?? "");
  const output = schema?.outputs[0];
  if (node === undefined || schema === undefined || output === undefined) return;
  const values = valuesForHolder(schema, node, schemaOf(node.type), input.name);
  const at = { x: node.position.x - WIDTH - GAP, y: node.position.y };
  let made = "";
  edit(editor, labelOf("Convert {{name}} to an input", { name: input.name }), (draft) => {
    const holder = newNode(schema, draft.lastNodeId + 1, at, WIDTH);
    Object.assign(holder.values, values);
    setPrimitiveType(holder, input);
    holder.title = `${input.name}`;
    made = holder.key;
    addNode(draft, holder);
    connect(
      draft,
      { node: made, slot: 0 },
      { node: key, name: input.name, type: input.type, isWidget: true },
      holder.outputs[0]?.type ?? output.type,
    );
  });
  select(editor, [made]);
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : writeJson(value);
}

const MAX_LABEL = 24;

function shortText(value: Json): string {
  const text = textOf(value);
  if (text === "") return t("nothing");
  return text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL)}…` : text;
}

export async function copyValue(editor: Editor, node: string, input: InputSchema): Promise<void> {
  const found = editor.tab.graph.nodes[node];
  if (found === undefined) return;
  try {
    await navigator.clipboard.writeText(textOf(currentValue(found, input)));
  } catch (error) {
    notifyError(error);
  }
}

export async function pasteFieldValue(
  editor: Editor,
  node: string,
  input: InputSchema,
): Promise<void> {
  const { id, level } = editor.tab;
  try {
    const value = pasted(await navigator.clipboard.readText(), input);
    if (value === undefined) {
      notify(t("The copied value does not fit {{name}}.", { name: input.name }));
      return;
    }
    changeValueAt({ id, level }, node, input.name, value);
    endThread({ id });
  } catch (error) {
    notifyError(error);
  }
}

/** Parses copied text as a value of an input; undefined where it does not fit. */
export function pasted(text: string, input: InputSchema): Json | undefined {
  const type = widgetType(input);
  if (type === "STRING" || type === "COLOR") return text;
  if (type === "COMBO") {
    return (input.choices ?? []).find((each) => String(each) === text.trim()) as Json | undefined;
  }
  const value = parsed(text.trim());
  if (type === "BOOLEAN") return typeof value === "boolean" ? value : undefined;
  const number = typeof value === "number" || typeof value === "bigint";
  if (type === "INT")
    return number && (typeof value === "bigint" || Number.isInteger(value)) ? value : undefined;
  if (type === "FLOAT") return number ? Number(value) : undefined;
  return typeof value === "object" && value !== null ? value : undefined;
}

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * The open document as an app: its form, the fields and results that can be added, and its edits.
 */

import { useMemo } from "react";
import type { Catalog } from "../../api/catalog";
import type { InputSchema } from "../../api/types";
import { type App, type AppField, fieldKey, readApp, setApp } from "../../document/app";
import type { Graph, GraphNode, Workflow } from "../../document/graph";
import { isNote } from "../../document/notes";
import { inputsOf } from "../nodes/inputs";
import { titleOf } from "../nodes/naming";
import { isWidget } from "../nodes/widgets";
import { Editor } from "../session/editor";
import { setting } from "../session/settings";
import { changeTab, edit, type Tab, useActive, useStudio } from "../session/studio";

/** A field of the form with its node and input. */
export interface ShownField extends AppField {
  source: GraphNode;
  input: InputSchema;
}

/** The fields to put first in a suggested form, by the names of their inputs. */
const SUGGESTED: readonly RegExp[] = [
  /^(text|prompt|positive)$/i,
  /^(image|video|audio)$/i,
  /^(width|height)$/i,
  /^(seed|noise_seed)$/i,
  /^(steps|cfg|denoise)$/i,
];

export function useApp(): App {
  const workflow = useActive((tab) => tab.workflow);
  return useMemo(() => readApp(workflow), [workflow]);
}

/** The form's fields that exist, with their nodes. */
export function useShownFields(): ShownField[] {
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  return useMemo(
    () => readApp(workflow).fields.flatMap((each) => shownField(workflow, catalog, each)),
    [workflow, catalog],
  );
}

function shownField(graph: Graph, catalog: Catalog, field: AppField): ShownField[] {
  const source = graph.nodes[field.node];
  const schema = source && catalog[source.type];
  const input =
    source &&
    schema &&
    inputsOf(schema, source).find((each) => each.name === field.widget && isWidget(each));
  return source === undefined || input === undefined ? [] : [{ ...field, source, input }];
}

/** All fields that could be added to the form, by node. */
export function availableFields(graph: Graph, catalog: Catalog, app: App): ShownField[] {
  const taken = new Set(app.fields.map(fieldKey));
  return graph.order.flatMap((key) => {
    const source = graph.nodes[key];
    const schema = source && catalog[source.type];
    if (source === undefined || schema === undefined || isNote(source)) return [];
    return inputsOf(schema, source)
      .filter(isWidget)
      .filter(({ name }) => !source.inputs.some((each) => each.name === name && each.link !== null))
      .map((input) => ({
        node: key,
        widget: input.name,
        label: null,
        heading: null,
        source,
        input,
      }))
      .filter((each) => !taken.has(fieldKey(each)));
  });
}

/** The nodes that show results. */
export function resultNodes(graph: Graph, catalog: Catalog): string[] {
  return graph.order.filter((key) => catalog[graph.nodes[key]?.type ?? ""]?.is_output === true);
}

/**
 * A suggested form for a workflow that has none: prompts, pictures, sizes, seeds, and all results.
 */
function suggestedApp(graph: Graph, catalog: Catalog): App {
  const all = availableFields(graph, catalog, { fields: [], outputs: [], first: false });
  const rank = ({ widget, source }: ShownField) => {
    const place = SUGGESTED.findIndex((each) => each.test(widget));
    const isNegative = /negative/i.test(titleOf(source, catalog[source.type]));
    return place === -1 ? -1 : place * 2 + (isNegative ? 1 : 0);
  };
  const chosen = all
    .map((field) => ({ field, rank: rank(field) }))
    .filter((each) => each.rank >= 0)
    .sort((one, other) => one.rank - other.rank);
  return {
    fields: chosen.map(({ field: { node, widget, source } }) => ({
      node,
      widget,
      label: /^(text|prompt)$/i.test(widget) ? titleOf(source, catalog[source.type]) : null,
      heading: null,
    })),
    outputs: resultNodes(graph, catalog),
    first: false,
  };
}

export function changeApp(editor: Editor, label: string, change: (app: App) => App): void {
  edit(editor, label, (_draft, workflow) => setApp(workflow, change(readApp(workflow))));
}

function hasForm(workflow: Workflow): boolean {
  const { fields, outputs } = readApp(workflow);
  return fields.length > 0 || outputs.length > 0;
}

/** Makes a form of what the workflow has; changes nothing where it has no field for one. */
export function suggestApp(editor: Editor): void {
  const { catalog } = useStudio.getState();
  const { workflow } = editor.tab;
  const app = suggestedApp(workflow, catalog);
  if (app.fields.length > 0) changeApp(editor, "Choose the fields of the app", () => app);
}

/** Moves a field up or down, at most to the ends of the form. */
export function moveField(editor: Editor, at: number, by: number): void {
  changeApp(editor, "Move a field of the app", (app) => {
    const fields = [...app.fields];
    const [moved] = fields.splice(at, 1);
    if (moved === undefined) return app;
    fields.splice(Math.min(Math.max(at + by, 0), fields.length), 0, moved);
    return { ...app, fields };
  });
}

export function changeField(editor: Editor, at: number, changed: Partial<AppField> | null): void {
  changeApp(
    editor,
    changed === null ? "Remove a field from the app" : "Change a field of the app",
    (app) => ({
      ...app,
      fields: app.fields.flatMap((each, index) => {
        if (index !== at) return [each];
        return changed === null ? [] : [{ ...each, ...changed }];
      }),
    }),
  );
}

export function addField(
  editor: Editor,
  { node, widget }: Pick<AppField, "node" | "widget">,
): void {
  changeApp(editor, "Add a field to the app", (app) => ({
    ...app,
    fields: [...app.fields, { node, widget, label: null, heading: null }],
  }));
}

export function toggleOutput(editor: Editor, key: string): void {
  changeApp(editor, "Choose a result of the app", (app) => ({
    ...app,
    outputs: app.outputs.includes(key)
      ? app.outputs.filter((each) => each !== key)
      : [...app.outputs, key],
  }));
}

/**
 * Shows the app or the graph. An app belongs to the root level, so that level is shown. A workflow
 * without a form gets one at once, which can be changed and undone.
 */
export function showApp(editor: Editor, shown: boolean): void {
  if (shown && editor.isFocused && !hasForm(editor.tab.workflow)) suggestApp(editor);
  changeTab(editor.id, ({ level, workflow }) => ({
    app: shown,
    ...(shown && level.length > 0 ? { level: [], graph: workflow } : {}),
  }));
}

const PHONE_WIDTH = 640;

/**
 * Shows documents as apps when they are opened, where they are apps. Returns a function that ends
 * it.
 */
export function watchApps(): () => void {
  let seen: ReadonlySet<string> = new Set();
  const onTabs = (tabs: readonly Tab[]) => {
    const opened = tabs.filter((each) => !seen.has(each.id));
    if (opened.length === 0 && tabs.length === seen.size) return;
    seen = new Set(tabs.map((each) => each.id));
    for (const tab of opened)
      if (tab.app === null && opensAsApp(tab)) showApp(new Editor(tab.id), true);
  };
  onTabs(useStudio.getState().tabs);
  return useStudio.subscribe(({ tabs }) => onTabs(tabs));
}

/** Whether a newly opened document is shown as an app: where its file says so, or on a phone. */
function opensAsApp({ workflow }: Tab): boolean {
  if (setting("calotype.openAsApp") === "never") return false;
  const { first, fields } = readApp(workflow);
  return fields.length > 0 && (first || window.innerWidth < PHONE_WIDTH);
}

/** The open documents: the level shown, the selection, and all edits through the log. */
import { create } from "zustand";
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import type { EditLabel } from "../../document/editLabel";
import {
  type Draft,
  emptyGraph,
  type Graph,
  type WidgetLayout,
  type Workflow,
} from "../../document/graph";
import { equalJson, isObject, type Json } from "../../document/json";
import { existingPath, levelAt, type Path, promptId, ROOT } from "../../document/levels";
import { close, EMPTY_LOG, record, redo, undo, withUndone } from "../../document/log";
import { readGraph } from "../../document/read";
import { withNames } from "../../document/valueNames";
import { t } from "../../words/words";
import { catalogWith } from "../nodes/subgraphSchema";
import { layoutOf } from "../nodes/widgets";
import { documentOf, seenBy, sideOf, viewOf, withOtherSide } from "./sides";
import type { LevelView, Tab, Viewport } from "./tab";

export type { Tab, Viewport };

export interface Studio {
  /** The server's classes of nodes, and the open document's subgraphs as additional classes. */
  catalog: Catalog;
  tabs: readonly Tab[];
  active: string;
}

const INITIAL_VIEW: LevelView = { selected: [], selectedLinks: [], viewport: null };
const PLACEHOLDER_TAB: Tab = blankTab("nothing", "Untitled");

export const useStudio = create<Studio>(() => ({
  catalog: {},
  tabs: [PLACEHOLDER_TAB],
  active: "nothing",
}));

// Subscribed first, so that other subscribers see a document together with its subgraphs.
useStudio.subscribe((state) => {
  const catalog = catalogWith(activeOf(state).workflow, state.catalog);
  if (catalog !== state.catalog) useStudio.setState({ catalog });
});

export function blankTab(id: string, name: string): Tab {
  const graph = emptyGraph();
  return {
    id,
    name,
    path: null,
    stamp: null,
    workflow: graph,
    level: ROOT,
    graph,
    log: EMPTY_LOG,
    savedWorkflow: graph,
    app: null,
    levelViews: {},
    other: null,
    isSecond: false,
    ...INITIAL_VIEW,
  };
}

export function activeOf(state: Studio): Tab {
  return state.tabs.find((each) => each.id === state.active) ?? state.tabs[0] ?? PLACEHOLDER_TAB;
}

export function activeTab(): Tab {
  return activeOf(useStudio.getState());
}

export function useActive<Value>(choose: (tab: Tab) => Value): Value {
  return useStudio((state) => choose(activeOf(state)));
}

/** Whether the active document is shown as an app. */
export function showsApp(): boolean {
  return activeTab().app === true;
}

export function useShowsApp(): boolean {
  return useActive((tab) => tab.app === true);
}

/** Returns to the graph, for actions that show something beside it or in it. */
export function leaveApp(): void {
  if (showsApp()) changeActive(() => ({ app: false }));
}

export function schemaOf(type: string): NodeSchema | undefined {
  return useStudio.getState().catalog[type];
}

/** The id of a node of the level shown in prompts: its path and key, joined by colons. */
export function promptIdOf(tab: Tab, key: string): string {
  return promptId(tab.level, key);
}

export const layout: WidgetLayout = (type, drawn) => {
  const schema = schemaOf(type);
  return schema === undefined ? undefined : layoutOf(schema, drawn);
};

export function isDirty(tab: Tab): boolean {
  return tab.workflow !== tab.savedWorkflow;
}

/** Changes a document as this view shows it. */
export function changeTab(view: string, change: (tab: Tab) => Partial<Tab>): void {
  const id = documentOf(view);
  useStudio.setState((state) => ({
    tabs: state.tabs.map((each) => {
      if (each.id !== id) return each;
      const seen = seenBy(view, each);
      const changed = withOtherFollowing({ ...seen, ...change(seen) }, seen);
      return seen === each ? changed : withOtherSide(changed);
    }),
  }));
}

/** After an edit in one view, the other one has the new graph of its level, too. */
function withOtherFollowing(now: Tab, before: Tab): Tab {
  if (now.other === null || now.workflow === before.workflow) return now;
  const other = withOtherSide(now);
  return { ...now, other: sideOf(atLevel(other, other.level)) };
}

function changeActive(change: (tab: Tab) => Partial<Tab>): void {
  changeTab(viewOf(activeTab()), change);
}

/** An open document. */
type Document = Pick<Tab, "id">;

/** A level of an open document; when a response arrives, another one may be shown. */
export type Place = Pick<Tab, "id" | "level">;

/**
 * Edits a level of a document, which need not be the one shown; the view does not change. `workflow`
 * is the whole document. Consecutive edits with the same `thread` are undone together. Does nothing
 * where the level no longer exists. An edit with `keepRedo`, one that the user did not make
 * directly, keeps redo.
 */
export function edit(
  { id, level }: Place,
  label: EditLabel,
  change: (draft: Draft, workflow: Workflow) => void,
  thread?: string,
  keepRedo = false,
): void {
  if (graphAt({ id, level }) === undefined) return;
  changeTab(id, (tab) => {
    const recorded = record(
      { graph: tab.workflow, log: tab.log },
      label,
      (workflow) => change(levelAt(workflow, level), workflow),
      thread ?? null,
      level,
    );
    const log = keepRedo ? withUndone(tab.log, recorded.log) : recorded.log;
    return atLevel({ ...tab, workflow: recorded.graph, log }, tab.level);
  });
}

/** The graph of a place; undefined where the document was closed or the subgraph was removed. */
export function graphAt({ id, level }: Place): Graph | undefined {
  const tab = tabOf(id);
  if (tab === undefined) return undefined;
  if (existingPath(tab.workflow, level).length < level.length) return undefined;
  return levelAt(tab.workflow, level);
}

/** A document as this view shows it. */
export function tabOf(view: string): Tab | undefined {
  return tabIn(useStudio.getState(), view);
}

export function tabIn({ tabs }: Pick<Studio, "tabs">, view: string): Tab | undefined {
  const found = tabs.find((each) => each.id === documentOf(view));
  return found && seenBy(view, found);
}

/** Ends the current typing or dragging, so that the next edit is a separate one. */
export function endThread({ id }: Document): void {
  changeTab(id, ({ log }) => ({ log: close(log) }));
}

/** Undoes the last edit, and shows the level where it was made. */
export function undoEdit({ id }: Document): void {
  changeTab(id, (tab) => {
    const where = tab.log.done.at(-1)?.path ?? tab.level;
    const { graph, log } = undo({ graph: tab.workflow, log: tab.log });
    return atLevel(markIfSaved(withValueNames({ ...tab, workflow: graph, log })), where);
  });
}

export function redoEdit({ id }: Document): void {
  changeTab(id, (tab) => {
    const where = tab.log.undone.at(-1)?.path ?? tab.level;
    const { graph, log } = redo({ graph: tab.workflow, log: tab.log });
    return atLevel(markIfSaved(withValueNames({ ...tab, workflow: graph, log })), where);
  });
}

/** Marks a document as saved where undo or redo led back to its saved content. */
function markIfSaved(tab: Tab): Tab {
  const isSame = equalJson(tab.workflow as unknown as Json, tab.savedWorkflow as unknown as Json);
  return isSame ? { ...tab, savedWorkflow: tab.workflow } : tab;
}

/** Shows a level, with its previous view and selection. */
export function showLevel({ id }: Document, path: Path): void {
  changeTab(id, (tab) => atLevel(tab, path));
}

/** The tab at a level, or the nearest existing one; removed nodes are no longer selected. */
export function atLevel(tab: Tab, path: Path): Tab {
  const level = existingPath(tab.workflow, path);
  const [from, to] = [tab.level.join(":"), level.join(":")];
  const graph = levelAt(tab.workflow, level);
  if (from === to) return withExistingSelection({ ...tab, graph });
  const { selected, selectedLinks, viewport } = tab;
  const levelViews = { ...tab.levelViews, [from]: { selected, selectedLinks, viewport } };
  return withExistingSelection({
    ...tab,
    ...(levelViews[to] ?? INITIAL_VIEW),
    levelViews,
    level,
    graph,
  });
}

function withExistingSelection(tab: Tab): Tab {
  const selected = tab.selected.filter((each) => each in tab.graph.nodes);
  const selectedLinks = tab.selectedLinks.filter((each) => each in tab.graph.links);
  if (
    selected.length === tab.selected.length &&
    selectedLinks.length === tab.selectedLinks.length
  ) {
    return tab;
  }
  return { ...tab, selected, selectedLinks };
}

export function select(
  { id }: Document,
  selected: readonly string[],
  selectedLinks: readonly string[] = [],
): void {
  changeTab(id, (tab) =>
    equalLists(tab.selected, selected) && equalLists(tab.selectedLinks, selectedLinks)
      ? {}
      : { selected, selectedLinks },
  );
}

function equalLists(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

/** Stores the visible part of a document's level shown. */
export function setViewport(id: string, viewport: Viewport): void {
  changeTab(id, () => ({ viewport }));
}

interface OpenOptions {
  /** A new id where none is given. */
  id?: string;
  name: string;
  path?: string | null;
  stamp?: string | null;
  viewport?: Viewport | null;
  dirty?: boolean;
}

/** Opens a workflow in a new tab. Throws `NotAWorkflowError`. */
export function openWorkflow(value: Json, opened: OpenOptions): string {
  const graph = readGraph(value, layout);
  const id = opened.id ?? crypto.randomUUID();
  const tab: Tab = {
    ...blankTab(id, opened.name),
    path: opened.path ?? null,
    stamp: opened.stamp ?? null,
    workflow: graph,
    graph,
    savedWorkflow: opened.dirty === true ? emptyGraph() : graph,
    viewport: opened.viewport ?? null,
  };
  putTab(tab);
  return id;
}

/** Opens a template as a new workflow, with an id of its own: it has none of the others' results. */
export function openTemplateAs(name: string, template: Json): string {
  const value = isObject(template) ? { ...template, id: crypto.randomUUID() } : template;
  return openWorkflow(value, { name });
}

/** Names values of nodes whose classes the catalog did not have when they were read. */
function withValueNames(tab: Tab): Tab {
  const workflow = withNames(tab.workflow, layout);
  if (workflow === tab.workflow) return tab;
  const savedWorkflow = tab.savedWorkflow === tab.workflow ? workflow : tab.savedWorkflow;
  const named = { ...tab, workflow, savedWorkflow, graph: levelAt(workflow, tab.level) };
  return withOtherFollowing(named, tab);
}

/** Sets the classes of nodes that the server has. */
export function setCatalog(catalog: Catalog): void {
  useStudio.setState({ catalog });
  useStudio.setState(({ tabs }) => ({ tabs: tabs.map(withValueNames) }));
}

/** Adds a tab after the open ones, and shows it. */
export function putTab(opened: Tab): void {
  const tab = withValueNames(opened);
  useStudio.setState((state) => ({
    tabs: [...state.tabs.filter((each) => each !== PLACEHOLDER_TAB && each.id !== tab.id), tab],
    active: tab.id,
  }));
}

export function newTab(): void {
  const tab = blankTab(crypto.randomUUID(), t("Untitled"));
  useStudio.setState((state) => ({ tabs: [...state.tabs, tab], active: tab.id }));
}

export function showTab(id: string): void {
  useStudio.setState({ active: id });
}

export function closeTab(id: string): void {
  useStudio.setState((state) => {
    const index = state.tabs.findIndex((each) => each.id === id);
    const left = state.tabs.filter((each) => each.id !== id);
    const tabs = left.length > 0 ? left : [blankTab(crypto.randomUUID(), t("Untitled"))];
    const next = tabs[Math.min(index, tabs.length - 1)] ?? PLACEHOLDER_TAB;
    return { tabs, active: state.active === id ? next.id : state.active };
  });
}

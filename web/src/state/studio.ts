/** The open documents: what is shown, what is selected, and every edit through the log. */
import { create } from "zustand";
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import {
  type Draft,
  emptyGraph,
  type Graph,
  type GraphNode,
  INPUTS,
  OUTPUTS,
  type WidgetLayout,
  type Workflow,
} from "../document/graph";
import { equalJson, type Json } from "../document/json";
import { levelAt, livingPath, type Path, promptId, ROOT } from "../document/levels";
import { close, EMPTY_LOG, type Log, record, redo, undo, withUndone } from "../document/log";
import { isNote } from "../document/notes";
import { readGraph } from "../document/read";
import { withNames } from "../document/valueNames";
import { t } from "../words/words";
import { catalogWith } from "./nodes/subgraphSchema";
import { layoutOf } from "./nodes/widgets";

export interface Viewport {
  x: number;
  y: number;
  zoom: number;
}

/** What one sees of a level: its part of the graph, and what is selected. */
interface LevelView {
  selected: readonly string[];
  selectedLinks: readonly string[];
  /** null until the canvas has shown it: then it is fitted. */
  viewport: Viewport | null;
}

export interface Tab extends LevelView {
  id: string;
  name: string;
  /** Where it is saved among the user's workflows; null for one that was never saved. */
  path: string | null;
  /** What the server called the content of that file when it was last read or written. */
  stamp: string | null;
  /** The whole document, with the insides of its subgraphs. */
  workflow: Workflow;
  /** The way to the level shown; empty at the root. */
  level: Path;
  /** The graph of the level shown: the root, or the inside of a subgraph. */
  graph: Graph;
  log: Log;
  /** The document as it was last saved or opened. */
  kept: Workflow;
  /** Shown as an app instead of as a graph; null until that is chosen: then as its file asks. */
  app: boolean | null;
  /** How the other levels looked when one left them, by their paths. */
  looks: Readonly<Record<string, LevelView>>;
}

interface Studio {
  /** The nodes that the server has, and the subgraphs of the open document as if they were some. */
  catalog: Catalog;
  tabs: readonly Tab[];
  active: string;
}

const UNSEEN: LevelView = { selected: [], selectedLinks: [], viewport: null };
const NOTHING: Tab = blankTab("nothing", "Untitled");

export const useStudio = create<Studio>(() => ({
  catalog: {},
  tabs: [NOTHING],
  active: "nothing",
}));

// Before anybody else hears of a change, so that nobody sees a document without its subgraphs.
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
    kept: graph,
    app: null,
    looks: {},
    ...UNSEEN,
  };
}

export function activeOf(state: Studio): Tab {
  return state.tabs.find((each) => each.id === state.active) ?? state.tabs[0] ?? NOTHING;
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

/** What is asked for lies beside the graph, or in it. */
export function leaveApp(): void {
  if (showsApp()) changeActive(() => ({ app: false }));
}

export function schemaOf(type: string): NodeSchema | undefined {
  return useStudio.getState().catalog[type];
}

/** What the server calls a node of the level shown: the way to it, joined by colons. */
export function promptIdOf(tab: Tab, key: string): string {
  return promptId(tab.level, key);
}

export const layout: WidgetLayout = (type) => {
  const schema = schemaOf(type);
  return schema === undefined ? undefined : layoutOf(schema);
};

export function isDirty(tab: Tab): boolean {
  return tab.workflow !== tab.kept;
}

export function changeTab(id: string, change: (tab: Tab) => Partial<Tab>): void {
  useStudio.setState((state) => ({
    tabs: state.tabs.map((each) => (each.id === id ? { ...each, ...change(each) } : each)),
  }));
}

function changeActive(change: (tab: Tab) => Partial<Tab>): void {
  changeTab(activeTab().id, change);
}

/**
 * Every change of a document, made on the level shown; `workflow` is the whole. Edits with one
 * `thread` in a row are undone together.
 */
export function edit(
  label: string,
  change: (draft: Draft, workflow: Workflow) => void,
  thread?: string,
): void {
  editAt(activeTab(), label, change, thread);
}

/** A place in an open document, which need not be the one shown by the time something arrives. */
export type Place = Pick<Tab, "id" | "level">;

/**
 * An edit of a document that may no longer be shown, what is shown stays; none where its level is
 * gone. One `aside`, that nobody asked for by itself, leaves what was undone to be redone.
 */
export function editAt(
  { id, level }: Place,
  label: string,
  change: (draft: Draft, workflow: Workflow) => void,
  thread?: string,
  aside = false,
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
    const log = aside ? withUndone(tab.log, recorded.log) : recorded.log;
    return showing({ ...tab, workflow: recorded.graph, log }, tab.level);
  });
}

/** The graph of a place; undefined where the document was closed or the subgraph is gone. */
export function graphAt({ id, level }: Place): Graph | undefined {
  const tab = tabOf(id);
  if (tab === undefined) return undefined;
  if (livingPath(tab.workflow, level).length < level.length) return undefined;
  return levelAt(tab.workflow, level);
}

export function tabOf(id: string): Tab | undefined {
  return useStudio.getState().tabs.find((each) => each.id === id);
}

/** The typing or dragging that went on is over. */
export function endThread(): void {
  endThreadIn(activeTab().id);
}

export function endThreadIn(tab: string): void {
  changeTab(tab, ({ log }) => ({ log: close(log) }));
}

/** Undoes the last edit, and shows the level where it was made. */
export function undoEdit(): void {
  changeActive((tab) => {
    const where = tab.log.done.at(-1)?.path ?? tab.level;
    const { graph, log } = undo({ graph: tab.workflow, log: tab.log });
    return showing(asSaved(withNamesIn({ ...tab, workflow: graph, log })), where);
  });
}

export function redoEdit(): void {
  changeActive((tab) => {
    const where = tab.log.undone.at(-1)?.path ?? tab.level;
    const { graph, log } = redo({ graph: tab.workflow, log: tab.log });
    return showing(asSaved(withNamesIn({ ...tab, workflow: graph, log })), where);
  });
}

/** Undone or redone until it is what was saved, a document is as good as saved. */
function asSaved(tab: Tab): Tab {
  const isSame = equalJson(tab.workflow as unknown as Json, tab.kept as unknown as Json);
  return isSame ? { ...tab, kept: tab.workflow } : tab;
}

/** Goes into a subgraph or out of it: the level's own view and selection come back. */
export function showLevel(path: Path): void {
  changeActive((tab) => showing(tab, path));
}

/** The tab at a level, as far as that is still there; what is gone is no longer selected. */
function showing(tab: Tab, path: Path): Tab {
  const level = livingPath(tab.workflow, path);
  const [from, to] = [tab.level.join(":"), level.join(":")];
  const graph = levelAt(tab.workflow, level);
  if (from === to) return withLivingSelection({ ...tab, graph });
  const { selected, selectedLinks, viewport } = tab;
  const looks = { ...tab.looks, [from]: { selected, selectedLinks, viewport } };
  return withLivingSelection({ ...tab, ...(looks[to] ?? UNSEEN), looks, level, graph });
}

function withLivingSelection(tab: Tab): Tab {
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

export function select(selected: readonly string[], selectedLinks: readonly string[] = []): void {
  changeActive((tab) =>
    same(tab.selected, selected) && same(tab.selectedLinks, selectedLinks)
      ? {}
      : { selected, selectedLinks },
  );
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

export function setViewport(viewport: Viewport): void {
  changeActive(() => ({ viewport }));
}

interface Opened {
  /** A new one where none is given. */
  id?: string;
  name: string;
  path?: string | null;
  stamp?: string | null;
  viewport?: Viewport | null;
  dirty?: boolean;
}

/** Shows a workflow in a tab of its own; what was open stays. Throws `NotAWorkflowError`. */
export function openWorkflow(value: Json, opened: Opened): string {
  const graph = readGraph(value, layout);
  const id = opened.id ?? crypto.randomUUID();
  const tab: Tab = {
    ...blankTab(id, opened.name),
    path: opened.path ?? null,
    stamp: opened.stamp ?? null,
    workflow: graph,
    graph,
    kept: opened.dirty === true ? emptyGraph() : graph,
    viewport: opened.viewport ?? null,
  };
  putTab(tab);
  return id;
}

/** Values of nodes that the catalog did not know when they were read are called by their names. */
function withNamesIn(tab: Tab): Tab {
  const workflow = withNames(tab.workflow, layout);
  if (workflow === tab.workflow) return tab;
  const kept = tab.kept === tab.workflow ? workflow : tab.kept;
  return { ...tab, workflow, kept, graph: levelAt(workflow, tab.level) };
}

/** From now on these are the classes that the server has. */
export function setCatalog(catalog: Catalog): void {
  useStudio.setState({ catalog });
  useStudio.setState(({ tabs }) => ({ tabs: tabs.map(withNamesIn) }));
}

/** Shows a tab, after those that are open. */
export function putTab(opened: Tab): void {
  const tab = withNamesIn(opened);
  useStudio.setState((state) => ({
    tabs: [...state.tabs.filter((each) => each !== NOTHING && each.id !== tab.id), tab],
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
    const next = tabs[Math.min(index, tabs.length - 1)] ?? NOTHING;
    return { tabs, active: state.active === id ? next.id : state.active };
  });
}

export function titleOf(node: GraphNode, schema: NodeSchema | undefined): string {
  if (node.key === INPUTS) return t("Inputs");
  if (node.key === OUTPUTS) return t("Outputs");
  return node.title ?? schema?.display_name ?? (isNote(node) ? t("Note") : node.type);
}

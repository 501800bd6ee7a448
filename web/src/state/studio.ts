/** The open documents: what is shown, what is selected, and every edit through the log. */
import { create } from "zustand";
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import type { Draft } from "../document/edit";
import { emptyGraph, type Graph, type GraphNode, type WidgetLayout } from "../document/graph";
import type { Json } from "../document/json";
import { close, EMPTY_LOG, type Log, record, redo, undo } from "../document/log";
import { readGraph } from "../document/read";
import { layoutOf } from "./widgets";

export interface Viewport {
  x: number;
  y: number;
  zoom: number;
}

export interface Tab {
  id: string;
  name: string;
  /** Where it is saved among the user's workflows; null for one that was never saved. */
  path: string | null;
  graph: Graph;
  log: Log;
  /** The graph as it was last saved or opened. */
  kept: Graph;
  selected: readonly string[];
  selectedLinks: readonly string[];
  /** null until the canvas has shown it: then it is fitted. */
  viewport: Viewport | null;
}

interface Studio {
  catalog: Catalog;
  tabs: readonly Tab[];
  active: string;
}

const NOTHING: Tab = blankTab("nothing", "Untitled");

export const useStudio = create<Studio>(() => ({
  catalog: {},
  tabs: [NOTHING],
  active: "nothing",
}));

export function blankTab(id: string, name: string): Tab {
  const graph = emptyGraph();
  return {
    id,
    name,
    path: null,
    graph,
    log: EMPTY_LOG,
    kept: graph,
    selected: [],
    selectedLinks: [],
    viewport: null,
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

export function schemaOf(type: string): NodeSchema | undefined {
  return useStudio.getState().catalog[type];
}

export const layout: WidgetLayout = (type) => {
  const schema = schemaOf(type);
  return schema === undefined ? undefined : layoutOf(schema);
};

export function isDirty(tab: Tab): boolean {
  return tab.graph !== tab.kept;
}

export function changeTab(id: string, change: (tab: Tab) => Partial<Tab>): void {
  useStudio.setState((state) => ({
    tabs: state.tabs.map((each) => (each.id === id ? { ...each, ...change(each) } : each)),
  }));
}

function changeActive(change: (tab: Tab) => Partial<Tab>): void {
  changeTab(activeTab().id, change);
}

/** Every change of a document. Edits with one `thread` in a row are undone together. */
export function edit(label: string, change: (draft: Draft) => void, thread?: string): void {
  changeActive((tab) => record(tab, label, change, thread ?? null));
}

/** The typing or dragging that went on is over. */
export function endThread(): void {
  changeActive((tab) => ({ log: close(tab.log) }));
}

export function undoEdit(): void {
  changeActive((tab) => withLivingSelection({ ...tab, ...undo(tab) }));
}

export function redoEdit(): void {
  changeActive((tab) => withLivingSelection({ ...tab, ...redo(tab) }));
}

export function withLivingSelection(tab: Tab): Tab {
  return {
    ...tab,
    selected: tab.selected.filter((each) => each in tab.graph.nodes),
    selectedLinks: tab.selectedLinks.filter((each) => each in tab.graph.links),
  };
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

export interface Opened {
  /** A new one where none is given. */
  id?: string;
  name: string;
  path?: string | null;
  viewport?: Viewport | null;
  dirty?: boolean;
}

/** Shows a workflow in a tab of its own; what was open stays. Throws `NotAWorkflow`. */
export function openWorkflow(value: Json, opened: Opened): string {
  const graph = readGraph(value, layout);
  const id = opened.id ?? crypto.randomUUID();
  const tab: Tab = {
    ...blankTab(id, opened.name),
    path: opened.path ?? null,
    graph,
    kept: opened.dirty === true ? emptyGraph() : graph,
    viewport: opened.viewport ?? null,
  };
  useStudio.setState((state) => ({
    tabs: [...state.tabs.filter((each) => each !== NOTHING), tab],
    active: id,
  }));
  return id;
}

export function newTab(): void {
  const tab = blankTab(crypto.randomUUID(), "Untitled");
  useStudio.setState((state) => ({ tabs: [...state.tabs, tab], active: tab.id }));
}

export function showTab(id: string): void {
  useStudio.setState({ active: id });
}

export function closeTab(id: string): void {
  useStudio.setState((state) => {
    const index = state.tabs.findIndex((each) => each.id === id);
    const left = state.tabs.filter((each) => each.id !== id);
    const tabs = left.length > 0 ? left : [blankTab(crypto.randomUUID(), "Untitled")];
    const next = tabs[Math.min(index, tabs.length - 1)] ?? NOTHING;
    return { tabs, active: state.active === id ? next.id : state.active };
  });
}

export function titleOf(node: GraphNode, schema: NodeSchema | undefined, graph?: Graph): string {
  return node.title ?? schema?.display_name ?? subgraphName(node, graph) ?? node.type;
}

/** Nodes whose type is the id of a subgraph are called by the subgraph's name. */
export function subgraphName(node: GraphNode, graph: Graph | undefined): string | null {
  const definitions = graph?.saved.definitions;
  if (typeof definitions !== "object" || definitions === null || Array.isArray(definitions)) {
    return null;
  }
  const { subgraphs } = definitions;
  for (const each of Array.isArray(subgraphs) ? subgraphs : []) {
    if (typeof each !== "object" || each === null || Array.isArray(each)) continue;
    if (each.id === node.type && typeof each.name === "string") return each.name;
  }
  return null;
}

/**
 * The document as React Flow draws it. Nodes go directly into React Flow's store instead of through
 * React props: while a node is dragged, only the nodes that moved render again. Wires change seldom
 * and are passed as props.
 */

import { useStoreApi } from "@xyflow/react";
import { useLayoutEffect, useState } from "react";
import { useRuns } from "../state/outcomes/runs";
import { type Editor, useEditor } from "../state/session/editor";
import { type Tab, useStudio } from "../state/session/studio";
import { type FlowEdge, type FlowNode, Projection } from "./flow";
import { foldEdges, foldNodes } from "./folding";

const NONE: FlowNode[] = [];

/** The key of the level of a document that is shown: each level has its own canvas. */
export function levelKey({ id, level }: Tab): string {
  return [id, ...level].join(":");
}

/** The nodes and edges of the level that is shown. An unchanged list keeps its identity. */
class Drawn {
  readonly #projection = new Projection();
  readonly #editor: Editor;
  readonly #place: string;
  #nodes: FlowNode[] = [];
  #edges: FlowEdge[] = [];
  /** The inputs that the lists were made of: while they are the same, nothing is computed again. */
  #nodesOf: readonly unknown[] = [];
  #edgesOf: readonly unknown[] = [];

  constructor(editor: Editor) {
    this.#editor = editor;
    this.#place = levelKey(editor.tab);
  }

  nodes(): FlowNode[] {
    const { tab, catalog } = this.#editor;
    const { shown } = useRuns.getState();
    const of = [tab.graph, tab.selected, catalog, shown];
    if (!isSameList(of, this.#nodesOf) && levelKey(tab) === this.#place) {
      this.#nodesOf = of;
      const all = foldNodes(this.#projection.nodes(tab, catalog, shown), tab.graph);
      if (!isSameList(all, this.#nodes)) this.#nodes = all;
    }
    return this.#nodes;
  }

  edges(): FlowEdge[] {
    const { tab, catalog } = this.#editor;
    const of = [tab.graph, tab.selectedLinks, catalog];
    if (!isSameList(of, this.#edgesOf) && levelKey(tab) === this.#place) {
      this.#edgesOf = of;
      const all = foldEdges(this.#projection.edges(tab, catalog), tab.graph);
      if (!isSameList(all, this.#edges)) this.#edges = all;
    }
    return this.#edges;
  }
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

/**
 * Moves the focus from a card that is about to be removed to the canvas, so that keys and Tab work
 * from there.
 */
function keepFocus(now: readonly FlowNode[]): void {
  const card = document.activeElement?.closest<HTMLElement>(".canvas [data-node]");
  const key = card?.dataset.node;
  if (key === undefined || now.some(({ id }) => id === key)) return;
  card?.closest<HTMLElement>(".canvas")?.focus({ preventScroll: true });
}

/** Keeps React Flow's nodes in step with the document; in the overview there are none. */
export function useFlowElements(overview: boolean): { nodes: FlowNode[]; edges: FlowEdge[] } {
  const library = useStoreApi<FlowNode, FlowEdge>();
  const editor = useEditor();
  const [drawn] = useState(() => new Drawn(editor));
  const [nodes] = useState(() => (overview ? NONE : drawn.nodes()));
  const edges = useStudio(() => drawn.edges());
  useLayoutEffect(() => {
    const feed = () => {
      const now = overview ? NONE : drawn.nodes();
      const { nodes: before, setNodes } = library.getState();
      if (now === before) return;
      keepFocus(now);
      setNodes(now);
    };
    feed();
    const stops = [useStudio.subscribe(feed), useRuns.subscribe(feed)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [overview, drawn, library]);
  return { nodes, edges };
}

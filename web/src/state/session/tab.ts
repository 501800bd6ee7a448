/** An open document. */
import type { Graph, Workflow } from "../../document/graph";
import type { Path } from "../../document/levels";
import type { Log } from "../../document/log";

export interface Viewport {
  x: number;
  y: number;
  zoom: number;
}

/** The view of a level: the visible part of its graph, and the selection. */
export interface LevelView {
  selected: readonly string[];
  selectedLinks: readonly string[];
  /** null until the canvas first shows the level, which it then fits to the screen. */
  viewport: Viewport | null;
}

export interface Tab extends LevelView {
  id: string;
  name: string;
  /** The path of the saved workflow; null for one that was never saved. */
  path: string | null;
  /** The server's version stamp of that file when it was last read or written. */
  stamp: string | null;
  /** The whole document, including its subgraphs. */
  workflow: Workflow;
  /** The path to the level shown; empty at the root. */
  level: Path;
  /** The graph of the level shown: the root, or the inside of a subgraph. */
  graph: Graph;
  log: Log;
  /** The document as it was last saved or opened. */
  savedWorkflow: Workflow;
  /**
   * Whether it is shown as an app instead of a graph; null until decided by its file or settings.
   */
  app: boolean | null;
  /** The views of the other levels when they were last shown, by their paths. */
  levelViews: Readonly<Record<string, LevelView>>;
  /** The other view of the document, where the split view has two. */
  other: Side | null;
  /** Whether the view that it holds is the second one. */
  isSecond: boolean;
}

/** What belongs to a view of a document, and not to the document. */
export type Side = Pick<
  Tab,
  "level" | "graph" | "levelViews" | "selected" | "selectedLinks" | "viewport"
>;

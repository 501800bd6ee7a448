/**
 * An open document as one view shows it. What draws a view, or answers later, reads its editor and
 * not the active document, which is that of another view as soon as the user goes there.
 */
import { createContext, useContext, useMemo } from "react";
import type { StoreApi, UseBoundStore } from "zustand";
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import type { Graph } from "../../document/graph";
import type { Path } from "../../document/levels";
import { catalogWith } from "../nodes/subgraphSchema";
import { viewOf } from "./sides";
import { activeOf, activeTab, blankTab, type Studio, type Tab, tabIn, useStudio } from "./studio";

/** Stands for a document that was closed while a view still shows it. */
const CLOSED: Tab = blankTab("closed", "");

/** A view of a document by its id; it reads the current state of the document each time. */
export class Editor {
  /** That of the view; `tab.id` is that of the document. */
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  get tab(): Tab {
    return seenIn(useStudio.getState(), this.id);
  }

  get level(): Path {
    return this.tab.level;
  }

  /** The graph of the level shown. */
  get graph(): Graph {
    return this.tab.graph;
  }

  /** The server's classes of nodes, and the document's own subgraphs. */
  get catalog(): Catalog {
    return catalogIn(useStudio.getState(), this.id);
  }

  schemaOf(type: string): NodeSchema | undefined {
    return this.catalog[type];
  }

  /** Whether it is the document that commands and keys act on. */
  get isFocused(): boolean {
    return viewOf(activeTab()) === this.id;
  }
}

/** The editor of the active document, for commands. */
export function activeEditor(): Editor {
  return new Editor(viewOf(activeTab()));
}

/** The id of the surrounding view; null outside of views. */
export const EditorContext = createContext<string | null>(null);

function seenIn(state: Studio, view: string): Tab {
  return tabIn(state, view) ?? CLOSED;
}

function activeViewOf(state: Studio): string {
  return viewOf(activeOf(state));
}

function catalogIn(state: Studio, id: string): Catalog {
  return catalogWith(seenIn(state, id).workflow, state.catalog);
}

/** The editor of the surrounding view; outside of views, that of the active document. */
export function useEditor(): Editor {
  const shown = useContext(EditorContext);
  const id = useStudio((state) => shown ?? activeViewOf(state));
  return useMemo(() => new Editor(id), [id]);
}

/** A value of the document of the surrounding view. */
export function useTab<Value>(choose: (tab: Tab) => Value): Value {
  const shown = useContext(EditorContext);
  return useStudio((state) => choose(seenIn(state, shown ?? activeViewOf(state))));
}

/** The classes of nodes that the document of the surrounding view has. */
export function useCatalog(): Catalog {
  const shown = useContext(EditorContext);
  return useStudio((state) => catalogIn(state, shown ?? activeViewOf(state)));
}

/** The class of a node of the surrounding view. */
export function useSchema(type: string | undefined): NodeSchema | undefined {
  const catalog = useCatalog();
  return type === undefined ? undefined : catalog[type];
}

/**
 * A value of a store about what the user does in the active document, such as the wire that is
 * being pulled; `otherwise` in the views of other documents, whose nodes may have the same keys.
 */
export function useGesture<State, Value>(
  store: UseBoundStore<StoreApi<State>>,
  choose: (state: State) => Value,
  otherwise: Value,
): Value {
  const shown = useContext(EditorContext);
  const isFocused = useStudio((state) => shown === null || shown === activeViewOf(state));
  return store((state) => (isFocused ? choose(state) : otherwise));
}

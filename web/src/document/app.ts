/**
 * The app that a workflow can be shown as: which fields, in which order, under which words, and
 * which results. Kept where the incumbent keeps it (`extra.linearData`, `extra.linearMode`); words
 * of our own beside it, in `extra.calotype.app`. Of the root level only: a field inside a subgraph
 * is promoted to its instance first.
 */
import type { Graph } from "./graph";
import { isObject, type Json, type JsonObject } from "./json";

export interface AppField {
  /** The node's key, and the name of its widget. */
  node: string;
  widget: string;
  /** What it is called in the form; null for its own name. */
  label: string | null;
  /** A heading above it. */
  heading: string | null;
}

export interface App {
  fields: readonly AppField[];
  /** Keys of the nodes whose results are shown. */
  outputs: readonly string[];
  /** Whether the file wants to be opened as an app. */
  first: boolean;
}

/** The app of a root graph; fields of nodes that are gone are left out. */
export function readApp(graph: Graph): App {
  const extra = isObject(graph.saved.extra) ? graph.saved.extra : {};
  const data = isObject(extra.linearData) ? extra.linearData : {};
  const words = wordsOf(extra);
  const list = (value: Json | undefined) => (Array.isArray(value) ? value : []);
  return {
    fields: list(data.inputs).flatMap((each) => {
      const [id, widget] = Array.isArray(each) ? each : [];
      const node = String(id);
      if (typeof widget !== "string" || !(node in graph.nodes)) return [];
      const said = words[fieldKey({ node, widget })];
      const text = (value: Json | undefined) => (typeof value === "string" ? value : null);
      return [
        {
          node,
          widget,
          label: isObject(said) ? text(said.label) : null,
          heading: isObject(said) ? text(said.heading) : null,
        },
      ];
    }),
    outputs: list(data.outputs)
      .map(String)
      .filter((each) => each in graph.nodes),
    first: extra.linearMode === true,
  };
}

/** Writes the app into a draft of the root graph; what the file says besides stays. */
export function setApp(graph: Graph, app: App): void {
  const extra = isObject(graph.saved.extra) ? graph.saved.extra : {};
  const data = isObject(extra.linearData) ? extra.linearData : {};
  const before = new Map(
    (Array.isArray(data.inputs) ? data.inputs : []).flatMap((each): [string, Json][] =>
      Array.isArray(each) ? [[`${each[0]}/${each[1]}`, each]] : [],
    ),
  );
  const words: JsonObject = {};
  for (const field of app.fields) {
    const { label, heading } = field;
    if (label === null && heading === null) continue;
    words[fieldKey(field)] = {
      ...(label === null ? {} : { label }),
      ...(heading === null ? {} : { heading }),
    };
  }
  const ours = isObject(extra.calotype) ? extra.calotype : {};
  graph.saved = {
    ...graph.saved,
    extra: {
      ...extra,
      linearMode: app.first,
      linearData: {
        ...data,
        inputs: app.fields.map(
          (each) => before.get(fieldKey(each)) ?? [idOf(graph, each.node), each.widget],
        ),
        outputs: app.outputs.map((key) => idOf(graph, key)),
      },
      ...(Object.keys(words).length > 0 || "app" in ours
        ? { calotype: { ...ours, app: words } }
        : {}),
    },
  };
}

/** What names a field within a form. */
export function fieldKey({ node, widget }: Pick<AppField, "node" | "widget">): string {
  return `${node}/${widget}`;
}

function wordsOf(extra: JsonObject): JsonObject {
  const ours = isObject(extra.calotype) ? extra.calotype : {};
  return isObject(ours.app) ? ours.app : {};
}

function idOf(graph: Graph, key: string): Json {
  return graph.nodes[key]?.id ?? key;
}

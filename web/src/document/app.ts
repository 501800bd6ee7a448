/**
 * The app form of a workflow: which widgets are shown, in which order, under which labels, and
 * which results. Stored where the incumbent stores it (`extra.linearData`, `extra.linearMode`),
 * with the labels and headings that only this editor has in `extra.calotype.app`. Only the root
 * level has an app: a widget inside a subgraph must first be promoted to its instance.
 */
import type { Graph } from "./graph";
import { isObject, type Json, type JsonObject } from "./json";

export interface AppField {
  /** The node's key and the name of its widget. */
  node: string;
  widget: string;
  /** The label in the form; null for the widget's own name. */
  label: string | null;
  /** A heading above the field. */
  heading: string | null;
}

export interface App {
  fields: readonly AppField[];
  /** Keys of the nodes whose results are shown. */
  outputs: readonly string[];
  /** Whether the file asks to be opened as an app. */
  first: boolean;
}

/** The app of a root graph; fields of deleted nodes are left out. */
export function readApp(graph: Graph): App {
  const extra = isObject(graph.saved.extra) ? graph.saved.extra : {};
  const data = isObject(extra.linearData) ? extra.linearData : {};
  const labels = storedLabels(extra);
  const list = (value: Json | undefined) => (Array.isArray(value) ? value : []);
  return {
    fields: list(data.inputs).flatMap((each) => {
      const [id, widget] = Array.isArray(each) ? each : [];
      const node = String(id);
      if (typeof widget !== "string" || !(node in graph.nodes)) return [];
      const stored = labels[fieldKey({ node, widget })];
      const text = (value: Json | undefined) => (typeof value === "string" ? value : null);
      return [
        {
          node,
          widget,
          label: isObject(stored) ? text(stored.label) : null,
          heading: isObject(stored) ? text(stored.heading) : null,
        },
      ];
    }),
    outputs: list(data.outputs)
      .map(String)
      .filter((each) => each in graph.nodes),
    first: extra.linearMode === true,
  };
}

/** Writes the app into a draft of the root graph; other content of `extra` is unchanged. */
export function setApp(graph: Graph, app: App): void {
  const extra = isObject(graph.saved.extra) ? graph.saved.extra : {};
  const data = isObject(extra.linearData) ? extra.linearData : {};
  const before = new Map(
    (Array.isArray(data.inputs) ? data.inputs : []).flatMap((each): [string, Json][] =>
      Array.isArray(each) ? [[`${each[0]}/${each[1]}`, each]] : [],
    ),
  );
  const labels: JsonObject = {};
  for (const field of app.fields) {
    const { label, heading } = field;
    if (label === null && heading === null) continue;
    labels[fieldKey(field)] = {
      ...(label === null ? {} : { label }),
      ...(heading === null ? {} : { heading }),
    };
  }
  const own = isObject(extra.calotype) ? extra.calotype : {};
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
      ...(Object.keys(labels).length > 0 || "app" in own
        ? { calotype: { ...own, app: labels } }
        : {}),
    },
  };
}

/** The id of a field within a form. */
export function fieldKey({ node, widget }: Pick<AppField, "node" | "widget">): string {
  return `${node}/${widget}`;
}

function storedLabels(extra: JsonObject): JsonObject {
  const own = isObject(extra.calotype) ? extra.calotype : {};
  return isObject(own.app) ? own.app : {};
}

function idOf(graph: Graph, key: string): Json {
  return graph.nodes[key]?.id ?? key;
}

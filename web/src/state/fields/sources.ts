/** A short description of what a wire carries: the value of a constant, else the source's title. */
import type { Catalog } from "../../api/catalog";
import { viewUrl } from "../../api/client";
import type { NodeSchema } from "../../api/types";
import type { Graph, GraphNode } from "../../document/graph";
import { linkInto } from "../../document/graph";
import { fileOf, mediaOf, placeOfValues } from "../nodes/fileValue";
import { inputsOf } from "../nodes/inputs";
import { kindOfFile, type MediaKind } from "../nodes/mediaTypes";
import { titleOf } from "../nodes/naming";
import { currentValue } from "../nodes/shape";
import { isWidget } from "../nodes/widgets";
import { picturesIn } from "../outcomes/outputs";
import { placeHere } from "../outcomes/places";
import { useRuns } from "../outcomes/runs";
import type { Tab } from "../session/studio";

const MAX_LENGTH = 40;

export function sourceWords(graph: Graph, catalog: Catalog, node: GraphNode, name: string): string {
  const source = graph.nodes[linkInto(graph, node, name)?.from ?? ""];
  if (source === undefined) return "";
  const constant = constantOf(source, catalog);
  if (constant === undefined) return titleOf(source, catalog[source.type]);
  const text = String(constant ?? "");
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

/** The value of a node that only passes it on; undefined for all others. */
function constantOf(source: GraphNode, catalog: Catalog): unknown {
  if (source.type === "PrimitiveNode") return source.values.value ?? source.values["#0"];
  const schema = catalog[source.type];
  if (schema === undefined || !source.type.startsWith("Primitive")) return undefined;
  const inputs = inputsOf(schema, source).filter((each) => each.section !== "hidden");
  const [only] = inputs;
  if (inputs.length !== 1 || only === undefined || !isWidget(only)) return undefined;
  return linkedTo(source, only.name) ? undefined : currentValue(source, only);
}

function linkedTo(node: GraphNode, name: string): boolean {
  return node.inputs.some((each) => each.name === name && each.link !== null);
}

interface Loaded {
  kind: MediaKind;
  url: string;
  name: string;
}

/** The file that a loading node loads. */
export function loadedBy(node: GraphNode, schema: NodeSchema | undefined): Loaded | null {
  const inputs = schema === undefined ? [] : inputsOf(schema, node);
  for (const input of inputs) {
    const kind = mediaOf(input);
    const file = kind === null ? null : fileOf(currentValue(node, input), placeOfValues(input));
    if (kind === null || file === null || linkedTo(node, input.name)) continue;
    return { kind: kindOfFile(file.filename) ?? kind, url: viewUrl(file), name: file.filename };
  }
  return null;
}

/**
 * The picture that arrives at a node, if available: the result of its source, else the file that
 * the source loads.
 */
export function pictureOf(tab: Tab, catalog: Catalog, node: GraphNode): string | null {
  const { graph } = tab;
  for (const slot of node.inputs) {
    if (!/IMAGE|MASK/.test(slot.type) || slot.link === null) continue;
    const source = graph.nodes[graph.links[slot.link]?.from ?? ""];
    const schema = catalog[source?.type ?? ""];
    if (source === undefined) continue;
    const [made] = picturesIn(useRuns.getState().shown[placeHere(tab, source.key)]);
    if (made !== undefined) return viewUrl(made.file);
    const given = loadedBy(source, schema);
    if (given?.kind === "image") return given.url;
  }
  return null;
}

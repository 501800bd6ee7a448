/**
 * Seed control: before a run, every controlled number gets its next value, on all levels of the
 * document.
 */

import { create } from "mutative";
import type { Catalog } from "../../api/catalog";
import type { InputSchema } from "../../api/types";
import { setValue } from "../../document/edit";
import { labelOf } from "../../document/editLabel";
import { type Definition, type GraphNode, subgraphOf, type Workflow } from "../../document/graph";
import { type InnerWidget, widgetsBehind } from "../../document/instances";
import type { Json } from "../../document/json";
import { graphsOf } from "../../document/levels";
import { portsOf } from "../../document/ports";
import { inputsOf } from "../nodes/inputs";
import { catalogWith } from "../nodes/subgraphSchema";
import { controlOf, fallbackValue, layoutOf } from "../nodes/widgets";
import type { Editor } from "../session/editor";
import { edit, graphAt, type Place, type Tab, tabOf, useStudio } from "../session/studio";

/** A hostile file may contain a subgraph that contains itself. */
const MAX_DEPTH = 64;

interface Roll {
  /** The index of the document's graph that contains the node. */
  graph: number;
  node: string;
  name: string;
  value: Json;
}

/**
 * Advances all controlled numbers of a document; by default the one shown. With `anew`, seeds that
 * are fixed get a random value, too, and stay fixed.
 */
export function rollSeeds(editor: Editor, tab: Tab = editor.tab, anew = false): void {
  const catalog = catalogOf(tab.workflow);
  const rolls = rollsIn(tab.workflow, catalog, anew);
  if (rolls.length === 0) return;
  edit(
    tab,
    "Randomize the seed",
    (_, draft) => applyRolls(draft, rolls, catalog),
    "roll the seeds",
    true,
  );
}

/** Whether a run advances any number of a document. */
export function rolls(workflow: Workflow): boolean {
  return rollsIn(workflow, catalogOf(workflow)).length > 0;
}

/** Whether a document has a seed that could be given another value. */
export function canRoll(workflow: Workflow): boolean {
  return rollsIn(workflow, catalogOf(workflow), true).length > 0;
}

/** The document that the next run will use; the open one is not changed. */
export function workflowToRun(workflow: Workflow): Workflow {
  const catalog = catalogOf(workflow);
  const rolls = rollsIn(workflow, catalog);
  if (rolls.length === 0) return workflow;
  // The library's own types recurse without end on JSON.
  const change = (draft: object) => applyRolls(draft as Workflow, rolls, catalog);
  return create(workflow as object, change) as Workflow;
}

/** The catalog with the document's own subgraphs, whether it is shown or not. */
function catalogOf(workflow: Workflow): Catalog {
  return catalogWith(workflow, useStudio.getState().catalog);
}

function rollsIn(workflow: Workflow, catalog: Catalog, anew = false): Roll[] {
  return graphsOf(workflow).flatMap(({ nodes }, graph) =>
    Object.values(nodes).flatMap((node) =>
      rollsOf(workflow, catalog, node, anew).map(
        (each): Roll => ({ graph, node: node.key, ...each }),
      ),
    ),
  );
}

function applyRolls(draft: Workflow, rolls: readonly Roll[], catalog: Catalog): void {
  const graphs = graphsOf(draft);
  for (const { graph, node, name, value } of rolls) {
    const found = graphs[graph];
    const schema = catalog[found?.nodes[node]?.type ?? ""];
    if (found === undefined || schema === undefined) continue;
    setValue(found, node, name, value, layoutOf(schema));
  }
}

function rollsOf(
  workflow: Workflow,
  catalog: Catalog,
  node: GraphNode,
  anew: boolean,
): { name: string; value: Json }[] {
  const schema = catalog[node.type];
  if (schema === undefined) return [];
  return inputsOf(schema, node).flatMap((input) => {
    const { name } = input;
    if (node.inputs.some((each) => each.name === name && each.link !== null)) return [];
    const chosen = controlFor(workflow, catalog, node, input);
    if (chosen === null) return [];
    const control = anew && chosen === "fixed" ? "randomize" : chosen;
    const { min, max } = input.options;
    const value = nextValue(node.values[name] ?? fallbackValue(input), control, { min, max });
    return value === null ? [] : [{ name, value }];
  });
}

/** What happens to an input's value before a run; for an instance, as set at the inner widget. */
export function controlFor(
  workflow: Workflow,
  catalog: Catalog,
  node: GraphNode,
  input: InputSchema,
): Json | null {
  const found = controlBehind(workflow, catalog, node, input);
  return found === null ? null : (found.node.values[found.name] ?? "fixed");
}

/** Where the control is set: on the node itself, or in this subgraph. */
interface Control {
  definition: string | null;
  node: GraphNode;
  name: string;
}

function controlBehind(
  workflow: Workflow,
  catalog: Catalog,
  node: GraphNode,
  input: InputSchema,
  inside: string | null = null,
  depth = 0,
): Control | null {
  const definition = subgraphOf(workflow.definitions, node.type);
  const schema = catalog[node.type];
  if (definition === undefined) {
    const name = schema === undefined ? null : controlOf(schema, input);
    return name === null ? null : { definition: inside, node, name };
  }
  const inner = widgetBehind(workflow, definition, input.name);
  const target = definition.graph.nodes[inner?.node ?? ""];
  const innerSchema = catalog[target?.type ?? ""];
  const innerInput = innerSchema?.inputs.find((each) => each.name === inner?.widget);
  if (target === undefined || innerInput === undefined || depth > MAX_DEPTH) return null;
  return controlBehind(workflow, catalog, target, innerInput, definition.id, depth + 1);
}

/** Sets, for all instances of a subgraph, the control of an inner widget that they show. */
export function changeInnerControl(
  place: Place,
  key: string,
  input: InputSchema,
  value: Json,
): void {
  const [workflow, node] = [tabOf(place.id)?.workflow, graphAt(place)?.nodes[key]];
  if (workflow === undefined || node === undefined) return;
  const catalog = catalogOf(workflow);
  const found = controlBehind(workflow, catalog, node, input);
  if (found === null) return;
  const schema = catalog[found.node.type];
  edit(place, labelOf("Change {{name}}", { name: found.name }), (_, draft) => {
    const graph = draft.definitions[found.definition ?? ""]?.graph;
    if (graph === undefined || schema === undefined) return;
    setValue(graph, found.node.key, found.name, value, layoutOf(schema));
  });
}

function widgetBehind(
  workflow: Workflow,
  definition: Definition,
  name: string,
): InnerWidget | undefined {
  const slot = portsOf(definition, "inputs").findIndex((each) => each.name === name);
  if (slot >= 0) return widgetsBehind(definition, slot, workflow.definitions)[0];
  // The promotions of old files without an input.
  const [node = "", widget] = name.split("/", 2);
  return widget === undefined ? undefined : { node, widget };
}

/**
 * The next value of a controlled number; null where it does not change, or is not a whole number.
 */
export function nextValue(
  value: Json,
  control: Json,
  { min, max }: { min?: unknown; max?: unknown },
  random: () => bigint = randomBits,
): Json | null {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  if (typeof value === "number" && !Number.isInteger(value)) return null;
  const least = wholeOf(min, 0n);
  const most = wholeOf(max, (1n << 64n) - 1n);
  if (most < least) return null;
  const now = BigInt(value);
  if (control === "randomize") return asJsonNumber(least + (random() % (most - least + 1n)));
  if (control === "increment") return asJsonNumber(now >= most ? most : now + 1n);
  if (control === "decrement") return asJsonNumber(now <= least ? least : now - 1n);
  return null;
}

function wholeOf(value: unknown, otherwise: bigint): bigint {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : otherwise;
}

/** A JavaScript number where that is exact. */
export function asJsonNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A random number of 53 bits, the most that every tool reads without loss. */
export function randomBits(): bigint {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(high & 0x1fffff) << 32n) | BigInt(low);
}

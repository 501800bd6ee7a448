/** Before a run: every number that asks for it gets its next value, on all levels of the document. */
import type { InputSchema } from "../api/types";
import { setValue } from "../document/edit";
import type { Definition, GraphNode, Workflow } from "../document/graph";
import { type Inner, widgetsBehind } from "../document/instances";
import type { Json } from "../document/json";
import { graphsOf } from "../document/levels";
import { portsOf } from "../document/ports";
import { inputsOf } from "./inputs";
import { activeTab, edit, schemaOf } from "./studio";
import { controlOf, layoutOf, standingOf } from "./widgets";

/** A hostile file may hold a subgraph in itself. */
const DEEPEST = 64;

interface Roll {
  /** Which of the document's graphs the node lies in. */
  graph: number;
  node: string;
  name: string;
  value: Json;
}

export type Next = (value: Json, control: Json, range: InputSchema["options"]) => Json | null;

export function rollSeeds(next: Next): void {
  const { workflow } = activeTab();
  const rolls = graphsOf(workflow).flatMap(({ nodes }, graph) =>
    Object.values(nodes).flatMap((node) =>
      rollsOf(workflow, node, next).map((each): Roll => ({ graph, node: node.key, ...each })),
    ),
  );
  if (rolls.length === 0) return;
  edit(
    "Roll the seed",
    (_, draft) => {
      const graphs = graphsOf(draft);
      for (const { graph, node, name, value } of rolls) {
        const found = graphs[graph];
        const schema = schemaOf(found?.nodes[node]?.type ?? "");
        if (found === undefined || schema === undefined) continue;
        setValue(found, node, name, value, layoutOf(schema));
      }
    },
    "roll the seeds",
  );
}

function rollsOf(workflow: Workflow, node: GraphNode, next: Next): { name: string; value: Json }[] {
  const schema = schemaOf(node.type);
  if (schema === undefined) return [];
  return inputsOf(schema, node).flatMap((input) => {
    const { name } = input;
    if (node.inputs.some((each) => each.name === name && each.link !== null)) return [];
    const control = controlFor(workflow, node, input);
    if (control === null) return [];
    const value = next(node.values[name] ?? standingOf(input), control, input.options);
    return value === null ? [] : [{ name, value }];
  });
}

/** What is done to an input's value before a run; for an instance, what the widget inside says. */
function controlFor(
  workflow: Workflow,
  node: GraphNode,
  input: InputSchema,
  depth = 0,
): Json | null {
  const definition = workflow.definitions[node.type];
  const schema = schemaOf(node.type);
  if (definition === undefined) {
    const control = schema === undefined ? null : controlOf(schema, input);
    return control === null ? null : (node.values[control] ?? "fixed");
  }
  const inner = widgetBehind(workflow, definition, input.name);
  const target = definition.graph.nodes[inner?.node ?? ""];
  const within = schemaOf(target?.type ?? "");
  const fed = within?.inputs.find((each) => each.name === inner?.widget);
  if (target === undefined || fed === undefined || depth > DEEPEST) return null;
  return controlFor(workflow, target, fed, depth + 1);
}

function widgetBehind(workflow: Workflow, definition: Definition, name: string): Inner | undefined {
  const slot = portsOf(definition, "inputs").findIndex((each) => each.name === name);
  if (slot >= 0) return widgetsBehind(definition, slot, workflow.definitions)[0];
  // What old files promote without an input.
  const [node = "", widget] = name.split("/", 2);
  return widget === undefined ? undefined : { node, widget };
}

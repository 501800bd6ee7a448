/**
 * Gives the nodes of a document the values that were run, those inside subgraphs too. The ids of a
 * run name each instance apart, but the instances of a subgraph share its nodes: a value inside is
 * set where it was the same in all of them, and what an instance gives its subgraph on itself.
 */
import type { Catalog } from "../../api/catalog";
import { setValue } from "../../document/edit";
import {
  type Definition,
  type Graph,
  type GraphNode,
  INPUTS,
  subgraphOf,
  type Workflow,
} from "../../document/graph";
import { promotedName, promotionsOf, widgetsBehind } from "../../document/instances";
import { equalJson, isObject, type Json } from "../../document/json";
import { graphsOf, type Path, promptId, ROOT } from "../../document/levels";
import { inputsOf } from "../nodes/inputs";
import { controlOf, layoutOf } from "../nodes/widgets";

type Values = Readonly<Record<string, Json>>;

/** The values of each node of each graph by name, one for each run of it. */
type Found = Map<Graph, Map<string, Map<string, Json[]>>>;

/** How many values were run differently in instances that share them, and were left. */
export function pinValues(workflow: Workflow, prompt: Json, catalog: Catalog): number {
  const found = new Runs(workflow, isObject(prompt) ? prompt : {}).found;
  let left = 0;
  for (const graph of graphsOf(workflow)) {
    for (const [key, node] of Object.entries(graph.nodes)) {
      const schema = catalog[node.type];
      if (schema === undefined) continue;
      const layout = layoutOf(schema);
      const values = found.get(graph)?.get(key);
      for (const { name } of inputsOf(schema, node)) {
        const [value, ...others] = values?.get(name) ?? [];
        if (value === undefined || !(name in node.values)) continue;
        if (others.some((each) => !equalJson(each, value))) left += 1;
        else if (!equalJson(node.values[name], value)) setValue(graph, key, name, value, layout);
      }
      for (const input of inputsOf(schema, node)) {
        const control = controlOf(schema, input);
        if (control !== null && node.values[control] !== "fixed") {
          setValue(graph, key, control, "fixed", layout);
        }
      }
    }
  }
  return left;
}

class Runs {
  readonly found: Found = new Map();
  readonly #workflow: Workflow;
  readonly #run: Values;
  /** Instances that ran, by their ids: others are not entered, however many a file nests. */
  readonly #entered = new Set<string>();

  constructor(workflow: Workflow, run: Values) {
    this.#workflow = workflow;
    this.#run = run;
    for (const id of Object.keys(run)) {
      const path = id.split(":");
      while (path.pop() !== undefined && path.length > 0) this.#entered.add(path.join(":"));
    }
    this.#visit(workflow, ROOT, new Set());
  }

  /** @param held The widgets in the graph, as `node/widget`, that its instance has values for. */
  #visit(graph: Graph, path: Path, held: ReadonlySet<string>): void {
    for (const node of Object.values(graph.nodes)) {
      const definition = subgraphOf(this.#workflow.definitions, node.type);
      if (definition === undefined) {
        for (const [name, value] of Object.entries(this.#inputs(promptId(path, node.key)))) {
          if (isOwn(node, name) && !held.has(`${node.key}/${name}`)) {
            this.#note(graph, node.key, name, value);
          }
        }
        continue;
      }
      if (!this.#entered.has(promptId(path, node.key))) continue;
      const inside = [...path, node.key];
      for (const [name, value] of this.#given(node, definition, inside)) {
        if (isOwn(node, name) && !held.has(`${node.key}/${name}`)) {
          this.#note(graph, node.key, name, value);
        }
      }
      const promoted = promotionsOf(node).map((each) => `${each.node}/${each.widget}`);
      this.#visit(definition.graph, inside, new Set(promoted));
    }
  }

  #note(graph: Graph, key: string, name: string, value: Json): void {
    const nodes = this.found.get(graph) ?? new Map<string, Map<string, Json[]>>();
    const values = nodes.get(key) ?? new Map<string, Json[]>();
    this.found.set(graph, nodes.set(key, values.set(name, [...(values.get(name) ?? []), value])));
  }

  /** The plain values that a node ran with. */
  #inputs(id: string): Values {
    const entry = this.#run[id];
    const inputs = isObject(entry) && isObject(entry.inputs) ? entry.inputs : {};
    return Object.fromEntries(
      Object.entries(inputs).flatMap(([name, value]) =>
        value === undefined || Array.isArray(value) ? [] : [[name, value]],
      ),
    );
  }

  /** What an instance gave its subgraph, read where it arrived. */
  #given(node: GraphNode, definition: Definition, inside: Path): [string, Json][] {
    const { definitions } = this.#workflow;
    const ports = definition.graph.nodes[INPUTS]?.outputs ?? [];
    const places = ports.map(
      (port, slot) => [port.name, widgetsBehind(definition, slot, definitions)[0]] as const,
    );
    const old = promotionsOf(node)
      .filter((each) => !each.isPreview)
      .map((each) => [promotedName(each, definition, definitions), each] as const);
    return [...places, ...old].flatMap(([name, place]): [string, Json][] => {
      const inner = place && definition.graph.nodes[place.node];
      if (place === undefined || inner === undefined) return [];
      const value = this.#arrived(inner, place.widget, inside);
      return value === undefined ? [] : [[name, value]];
    });
  }

  #arrived(node: GraphNode, widget: string, path: Path): Json | undefined {
    const definition = subgraphOf(this.#workflow.definitions, node.type);
    const id = promptId(path, node.key);
    if (definition === undefined) return this.#inputs(id)[widget];
    if (!this.#entered.has(id)) return undefined;
    const given = this.#given(node, definition, [...path, node.key]);
    return given.find(([name]) => name === widget)?.[1];
  }
}

/** Whether a value is the node's own, and none that comes over a wire. */
function isOwn(node: GraphNode, name: string): boolean {
  return !node.inputs.some(
    (each) => each.link !== null && (each.widget === name || each.name === name),
  );
}

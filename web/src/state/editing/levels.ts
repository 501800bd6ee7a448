/** Entering and leaving subgraphs, and going to a node on any level. */

import type { Catalog } from "../../api/catalog";
import { subgraphOf } from "../../document/graph";
import { containsSubgraph, definitionOf, nodeOfPrompt } from "../../document/levels";
import { t } from "../../words/words";
import { titleOf } from "../nodes/naming";
import { canvas } from "../session/canvas";
import { activeTab, select, showLevel, type Tab } from "../session/studio";

/** Whether exactly one node is selected, and it is an instance of a subgraph. */
export function canEnter(): boolean {
  const { graph, workflow, selected } = activeTab();
  const [key] = selected;
  const type = graph.nodes[key ?? ""]?.type;
  return selected.length === 1 && subgraphOf(workflow.definitions, type) !== undefined;
}

/** Shows the inside of an instance. */
export function enter(key: string): void {
  const { graph, workflow, level } = activeTab();
  const definition = subgraphOf(workflow.definitions, graph.nodes[key]?.type);
  if (definition !== undefined) showLevel([...level, key]);
}

/** Shows the enclosing level, with the instance that was left selected. */
export function leave(): void {
  const { level } = activeTab();
  const from = level.at(-1);
  if (from === undefined) return;
  showLevel(level.slice(0, -1));
  select([from]);
}

/**
 * Shows and selects a node by its id in prompts: `12:5` is node 5 in the subgraph that is node 12.
 */
export function goTo(id: string): void {
  const found = nodeOfPrompt(activeTab().workflow, id);
  if (found === null) return;
  const isHere = activeTab().level.join() === found.path.join();
  showLevel(found.path);
  select([found.node.key]);
  // Another level is fitted to the screen anyway when it appears.
  if (isHere) canvas()?.fit([found.node.key]);
}

/** The title of the node with this id in prompts; undefined where there is none. */
export function titleOfPrompt(tab: Tab, id: string, catalog: Catalog): string | undefined {
  const node = nodeOfPrompt(tab.workflow, id)?.node;
  return node === undefined ? undefined : titleOf(node, catalog[node.type]);
}

/** The reason why a node of this type is refused on the level shown; null where it is allowed. */
export function refusalToNest(type: string): string | null {
  const { workflow, graph } = activeTab();
  const around = definitionOf(workflow, graph);
  const definition = subgraphOf(workflow.definitions, type);
  if (
    around === undefined ||
    definition === undefined ||
    !containsSubgraph(workflow, type, around.id)
  ) {
    return null;
  }
  return t("{{name}} cannot contain itself. Add it one level further up.", {
    name: definition.name,
  });
}

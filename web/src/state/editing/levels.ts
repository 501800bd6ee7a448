/** Going into subgraphs and out of them, and to a node wherever it lies. */

import type { Catalog } from "../../api/catalog";
import { subgraphOf } from "../../document/graph";
import { definitionOf, holds, nodeOfPrompt } from "../../document/levels";
import { t } from "../../words/words";
import { canvas } from "../canvas";
import { activeTab, select, showLevel, type Tab, titleOf } from "../studio";

/** Whether one node is selected, and it is an instance of a subgraph. */
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

/** Shows the level around, with the instance one was in selected. */
export function leave(): void {
  const { level } = activeTab();
  const from = level.at(-1);
  if (from === undefined) return;
  showLevel(level.slice(0, -1));
  select([from]);
}

/** Shows and selects a node by what prompts call it: `12:5` lies in the subgraph that is node 12. */
export function goTo(id: string): void {
  const found = nodeOfPrompt(activeTab().workflow, id);
  if (found === null) return;
  const isHere = activeTab().level.join() === found.path.join();
  showLevel(found.path);
  select([found.node.key]);
  // Another level is shown whole when it appears.
  if (isHere) canvas()?.fit([found.node.key]);
}

/** What the node is called that prompts call so; undefined where there is none. */
export function titleOfPrompt(tab: Tab, id: string, catalog: Catalog): string | undefined {
  const node = nodeOfPrompt(tab.workflow, id)?.node;
  return node === undefined ? undefined : titleOf(node, catalog[node.type]);
}

/** Why a node of this type may not be put on the level shown; null where it may. */
export function refusalToNest(type: string): string | null {
  const { workflow, graph } = activeTab();
  const around = definitionOf(workflow, graph);
  const definition = subgraphOf(workflow.definitions, type);
  if (around === undefined || definition === undefined || !holds(workflow, type, around.id)) {
    return null;
  }
  return t("{{name}} cannot contain itself. Add it one level further up.", {
    name: definition.name,
  });
}

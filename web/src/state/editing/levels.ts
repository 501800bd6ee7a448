/** Entering and leaving subgraphs, and going to a node on any level. */

import type { Catalog } from "../../api/catalog";
import { subgraphOf } from "../../document/graph";
import { containsSubgraph, definitionOf, nodeOfPrompt } from "../../document/levels";
import { t } from "../../words/words";
import { titleOf } from "../nodes/naming";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { select, showLevel, type Tab } from "../session/studio";

/** Whether exactly one node is selected, and it is an instance of a subgraph. */
export function canEnter(editor: Editor): boolean {
  const { graph, workflow, selected } = editor.tab;
  const [key] = selected;
  const type = graph.nodes[key ?? ""]?.type;
  return selected.length === 1 && subgraphOf(workflow.definitions, type) !== undefined;
}

/** Shows the inside of an instance. */
export function enter(editor: Editor, key: string): void {
  const { graph, workflow, level } = editor.tab;
  const definition = subgraphOf(workflow.definitions, graph.nodes[key]?.type);
  if (definition !== undefined) showLevel(editor, [...level, key]);
}

/** Shows the enclosing level, with the instance that was left selected. */
export function leave(editor: Editor): void {
  const { level } = editor.tab;
  const from = level.at(-1);
  if (from === undefined) return;
  showLevel(editor, level.slice(0, -1));
  select(editor, [from]);
}

/**
 * Shows and selects a node by its id in prompts: `12:5` is node 5 in the subgraph that is node 12.
 */
export function goTo(editor: Editor, id: string): void {
  const found = nodeOfPrompt(editor.tab.workflow, id);
  if (found === null) return;
  const isHere = editor.tab.level.join() === found.path.join();
  showLevel(editor, found.path);
  select(editor, [found.node.key]);
  // Another level is fitted to the screen anyway when it appears.
  if (isHere) canvas()?.fit([found.node.key]);
}

/** The title of the node with this id in prompts; undefined where there is none. */
export function titleOfPrompt(tab: Tab, id: string, catalog: Catalog): string | undefined {
  const node = nodeOfPrompt(tab.workflow, id)?.node;
  return node === undefined ? undefined : titleOf(node, catalog[node.type]);
}

/** The reason why a node of this type is refused on the level shown; null where it is allowed. */
export function refusalToNest(editor: Editor, type: string): string | null {
  const { workflow, graph } = editor.tab;
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

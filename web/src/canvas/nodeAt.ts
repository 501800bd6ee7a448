/** What is at a place of the graph, from the document: painted nodes are not elements. */

import { type Box, containsPoint } from "../document/arrange";
import type { GraphNode, Point } from "../document/graph";
import { type Fold, foldingOf } from "../state/nodes/folding";
import { isRerouteNode } from "../state/nodes/reroutes";
import type { Shape } from "../state/nodes/rows";
import { cornerOf, shapeFor, showsPictures, TITLE } from "../state/nodes/shape";
import { shows } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import type { Editor } from "../state/session/editor";

/** The shape of a node with its current previews and texts. */
export function shapeNow(editor: Editor, node: GraphNode): Shape {
  const schema = editor.schemaOf(node.type);
  const isShowing = shows(editor.tab, useRuns.getState().shown, node.key);
  return shapeFor(node, schema, showsPictures(schema) || isShowing);
}

function boxOf(editor: Editor, node: GraphNode): Box {
  const { width, height } = shapeNow(editor, node);
  const { x, y } = cornerOf(node);
  // The pill of a reroute node is below the place of a title.
  return isRerouteNode(node) && editor.schemaOf(node.type) === undefined
    ? { x, y: y + TITLE, width, height: height - TITLE }
    : { x, y, width, height };
}

/** A node or a folded frame, and its box. */
export interface Hit {
  key: string;
  fold: Fold | null;
  box: Box;
}

/** The topmost node or folded frame at a place; null for none. */
export function hitAt(editor: Editor, at: Point): Hit | null {
  const { graph, selected } = editor.tab;
  const { folds, hidden } = foldingOf(graph);
  const fold = folds.findLast((each) => containsPoint(foldBox(each), at));
  if (fold !== undefined) return { key: fold.group.key, fold, box: foldBox(fold) };
  let found: Hit | null = null;
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined || hidden.has(key)) continue;
    if (at.x < node.position.x || at.y < node.position.y - TITLE) continue;
    // Selected nodes are drawn above the others.
    if (found !== null && selected.includes(found.key) && !selected.includes(key)) continue;
    const box = boxOf(editor, node);
    if (containsPoint(box, at)) found = { key, fold: null, box };
  }
  return found;
}

function foldBox({ group, width, height }: Fold): Box {
  return { ...group.position, width, height };
}

/** The topmost node at a place of the graph; null where there is none, or a folded frame. */
export function nodeAt(editor: Editor, at: Point): string | null {
  const hit = hitAt(editor, at);
  return hit === null || hit.fold !== null ? null : hit.key;
}

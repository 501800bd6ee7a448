/**
 * The drawn sizes of nodes, from the catalog and the results they show; a collapsed frame is one
 * box.
 */

import { type Box, type Boxes, boundsOfBoxes } from "../../document/arrange";
import { isPinned } from "../../document/flags";
import { frameBox } from "../../document/frames";
import type { GraphNode } from "../../document/graph";
import { foldingOf } from "../nodes/folding";
import { cornerOf, shapeFor, showsPictures } from "../nodes/shape";
import { shows } from "../outcomes/places";
import { useRuns } from "../outcomes/runs";
import type { Editor } from "../session/editor";

export function boxOf(editor: Editor, node: GraphNode): Box {
  const schema = editor.schemaOf(node.type);
  const pictures = showsPictures(schema) || shows(editor.tab, useRuns.getState().shown, node.key);
  const { width, height } = shapeFor(node, schema, pictures);
  return { ...cornerOf(node), width, height };
}

/** The boxes of these nodes, or of all; nodes in collapsed frames only with `folded`. */
export function boxesOf(editor: Editor, keys?: readonly string[], folded = false): Boxes {
  const { graph } = editor;
  const { hidden } = foldingOf(graph);
  return new Map(
    (keys ?? graph.order).flatMap((key): [string, Box][] => {
      const node = graph.nodes[key];
      return node === undefined || (hidden.has(key) && !folded) ? [] : [[key, boxOf(editor, node)]];
    }),
  );
}

/**
 * The smallest box around these drawn nodes, or around all nodes, frames and points of wires; null
 * for none.
 */
export function drawnBounds(editor: Editor, keys: readonly string[] = []): Box | null {
  if (keys.length > 0) return boundsOfBoxes(boxesOf(editor, keys).values());
  const { groups, reroutes } = editor.graph;
  const points = Object.values(reroutes).map(({ position }) => ({
    ...position,
    width: 0,
    height: 0,
  }));
  return boundsOfBoxes([...boxesOf(editor).values(), ...groups.map(frameBox), ...points]);
}

/** The nodes that must not move: pinned ones. */
export function pinnedOf({ graph }: Pick<Editor, "graph">, keys: Iterable<string>): Set<string> {
  return new Set(
    [...keys].filter((key) => {
      const node = graph.nodes[key];
      return node !== undefined && isPinned(node);
    }),
  );
}

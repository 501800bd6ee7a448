/** Which node is at a place of the graph, told from the document: painted nodes are no elements. */
import type { Point } from "../document/graph";
import { foldingOf } from "../state/nodes/folding";
import { cornerOf, shapeFor, showsPictures } from "../state/nodes/shape";
import { shows } from "../state/runs/places";
import { useRuns } from "../state/runs/runs";
import { activeTab, schemaOf } from "../state/studio";

/** The topmost node at a place of the graph. */
export function nodeAt({ x, y }: Point): string | null {
  const tab = activeTab();
  const { shown } = useRuns.getState();
  const { hidden } = foldingOf(tab.graph);
  const found = tab.graph.order.findLast((key) => {
    const node = tab.graph.nodes[key];
    if (node === undefined || hidden.has(key)) return false;
    const corner = cornerOf(node);
    if (x < corner.x || y < corner.y) return false;
    const schema = schemaOf(node.type);
    const shape = shapeFor(node, schema, showsPictures(schema) || shows(tab, shown, key));
    return x <= corner.x + shape.width && y <= corner.y + shape.height;
  });
  return found ?? null;
}

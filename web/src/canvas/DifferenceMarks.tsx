/** What differs from another workflow, on the canvas: added green, changed amber, removed as ghosts. */
import { ViewportPortal } from "@xyflow/react";
import { useDifference } from "../state/difference";
import { differenceOf } from "../state/differing";
import { boundsOf } from "../state/shape";
import { schemaOf, titleOf, useActive } from "../state/studio";
import "./difference.css";

export function DifferenceMarks() {
  const compared = useDifference((state) => state.compared);
  const tab = useActive((each) => each);
  if (compared === null || compared.other !== null || compared.tab !== tab.id) return null;
  const found = differenceOf(compared.one, tab.workflow).find((level) => level.other === tab.graph);
  if (found === undefined) return null;
  const { one, difference } = found;
  const { added, removed, changed } = difference;
  const marks = [
    ...added.map((key) => ({ key, kind: "added", graph: tab.graph })),
    ...changed.map(({ after }) => ({ key: after, kind: "changed", graph: tab.graph })),
    ...removed.map((key) => ({ key, kind: "removed", graph: one })),
  ];
  return (
    <ViewportPortal>
      {marks.map(({ key, kind, graph }) => {
        const bounds = boundsOf(graph, [key]);
        const node = graph.nodes[key];
        if (bounds === null || node === undefined) return null;
        const { x, y, width, height } = bounds;
        return (
          <div
            key={`${kind} ${key}`}
            className={`difference-mark ${kind}`}
            data-node={key}
            style={{ transform: `translate(${x}px, ${y}px)`, width, height }}
          >
            {kind === "removed" && titleOf(node, schemaOf(node.type))}
          </div>
        );
      })}
    </ViewportPortal>
  );
}

/**
 * Differences from another workflow, on the canvas: added green, changed amber, removed as ghosts.
 */

import { ViewportPortal } from "@xyflow/react";
import type { Catalog } from "../api/catalog";
import type { Graph } from "../document/graph";
import { endsOf, pathOf, svgPen, traceLink, type WireShape } from "../state/editing/wires";
import { titleOf } from "../state/nodes/naming";
import { boundsOf } from "../state/nodes/shape";
import { shows } from "../state/outcomes/places";
import { useRuns } from "../state/outcomes/runs";
import { useDifference } from "../state/results/difference";
import { differenceOf } from "../state/results/differing";
import { useCatalog, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import type { Tab } from "../state/session/studio";
import "./difference.css";

export function DifferenceMarks() {
  const compared = useDifference((state) => state.compared);
  const tab = useTab((each) => each);
  const catalog = useCatalog();
  const shape = useSetting("calotype.wireShape") as WireShape;
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
  const wires = [
    ...difference.wiresAdded.map(({ link }) => ({ kind: "added", key: link, graph: tab.graph })),
    ...difference.wiresRemoved.map(({ link }) => ({ kind: "removed", key: link, graph: one })),
  ].map(({ kind, key, graph }) => ({ kind, key, path: lineOf(tab, catalog, graph, key, shape) }));
  return (
    <ViewportPortal>
      <svg className="difference-wires" aria-hidden>
        {wires.map(({ key, kind, path }) => (
          <path key={`${kind} ${key}`} className={kind} data-wire={key} d={path} />
        ))}
      </svg>
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
            {kind === "removed" && titleOf(node, catalog[node.type])}
          </div>
        );
      })}
    </ViewportPortal>
  );
}

/** The line of a removed wire, between its former places, where its nodes may no longer be. */
function lineOf(tab: Tab, catalog: Catalog, graph: Graph, key: string, shape: WireShape): string {
  const link = graph.links[key];
  const { shown } = useRuns.getState();
  const tall = (node: string) => graph === tab.graph && shows(tab, shown, node);
  const ends = link === undefined ? null : endsOf(graph, link, catalog, tall);
  if (link === undefined || ends === null) return "";
  const pen = svgPen();
  traceLink(pen, link, pathOf(graph, link), ends, shape);
  return pen.written();
}

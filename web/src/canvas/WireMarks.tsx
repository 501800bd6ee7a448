/** Marks on wires: reroute points, and the tags of named wires. */

import { ViewportPortal } from "@xyflow/react";
import { memo } from "react";
import { currentEnds } from "../state/editing/connecting";
import { usePulling } from "../state/editing/pull";
import { pathOf, svgPen, traceLink, type WireShape } from "../state/editing/wires";
import { useWiring } from "../state/editing/wiring";
import { useEditor, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { RoutePoint } from "./RoutePoint";
import { Tags } from "./WireTags";
import "./wiring.css";

export const WireMarks = memo(function WireMarks() {
  const reroutes = useTab((tab) => tab.graph.reroutes);
  return (
    <ViewportPortal>
      {Object.keys(reroutes).map((key) => (
        <RoutePoint key={key} point={key} />
      ))}
      <Tags />
      <Glow />
    </ViewportPortal>
  );
});

/** The highlight of the wire that a node would be put into, or a pulled wire joined to. */
function Glow() {
  const entered = useGesture(useWiring, (state) => state.over, null);
  const pulled = useGesture(
    usePulling,
    ({ target }) => (target.kind === "wire" ? target.link : null),
    null,
  );
  const over = entered ?? pulled;
  const editor = useEditor();
  const link = useTab((tab) => tab.graph.links[over ?? ""]);
  const shape = useSetting("calotype.wireShape") as WireShape;
  const ends = link && currentEnds(editor, link);
  if (link === undefined || ends == null) return null;
  const pen = svgPen();
  traceLink(pen, link, pathOf(editor.graph, link), ends, shape, true);
  return (
    <svg className="wire-glow" aria-hidden>
      <path d={pen.written()} />
    </svg>
  );
}

/** What lies on wires: reroute points, the tags of named wires, a branch while it is pulled. */
import { ViewportPortal } from "@xyflow/react";
import { memo } from "react";
import { endsNow } from "../state/editing/connecting";
import { pathOf, svgPen, traceLink, traceWire, type WireShape } from "../state/editing/wires";
import { useWiring } from "../state/editing/wiring";
import { useSetting } from "../state/settings";
import { activeTab, useActive } from "../state/studio";
import { RoutePoint } from "./RoutePoint";
import { Tags } from "./WireTags";
import "./wiring.css";

export const WireMarks = memo(function WireMarks() {
  const reroutes = useActive((tab) => tab.graph.reroutes);
  return (
    <ViewportPortal>
      {Object.keys(reroutes).map((key) => (
        <RoutePoint key={key} point={key} />
      ))}
      <Tags />
      <Glow />
      <Branch />
    </ViewportPortal>
  );
});

/** The wire that a node would be put into, whoever draws the wires themselves. */
function Glow() {
  const over = useWiring((state) => state.over);
  const link = useActive((tab) => tab.graph.links[over ?? ""]);
  const shape = useSetting("calotype.wireShape") as WireShape;
  const ends = link && endsNow(link);
  if (link === undefined || ends == null) return null;
  const pen = svgPen();
  traceLink(pen, link, pathOf(activeTab().graph, link), ends, shape, true);
  return (
    <svg className="wire-glow" aria-hidden>
      <path d={pen.written()} />
    </svg>
  );
}

/** The wire that is being pulled from a point. */
function Branch() {
  const branch = useWiring((state) => state.branch);
  const from = useActive((tab) => tab.graph.reroutes[branch?.point ?? ""]?.position);
  if (branch === null || from === undefined) return null;
  const pen = svgPen();
  traceWire(pen, [from, branch.to], "spline");
  return (
    <svg className="wire-glow branch" aria-hidden>
      <path d={pen.written()} />
    </svg>
  );
}

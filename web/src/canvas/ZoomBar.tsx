/** How near one is, and back to all of it. */
import { useReactFlow, useStore } from "@xyflow/react";
import { Maximize, Minus, Plus } from "lucide-react";
import { boundsOf, boundsOfAll } from "../state/shape";
import { activeTab } from "../state/studio";
import { ToolBar } from "./ToolBar";

const GLIDE = { duration: 180 };

export function ZoomBar() {
  const flow = useReactFlow();
  const zoom = useStore((state) => state.transform[2]);
  return (
    <div className="zoom-bar" role="toolbar" aria-label="Zoom">
      <ToolBar />
      <button type="button" aria-label="Farther" onClick={() => void flow.zoomOut(GLIDE)}>
        <Minus size={14} aria-hidden />
      </button>
      <button
        type="button"
        className="percent"
        title="Back to 100 %"
        onClick={() => void flow.zoomTo(1, GLIDE)}
      >
        {Math.round(zoom * 100)} %
      </button>
      <button type="button" aria-label="Nearer" onClick={() => void flow.zoomIn(GLIDE)}>
        <Plus size={14} aria-hidden />
      </button>
      <button
        type="button"
        aria-label="Show all"
        title="Show all ( . )"
        onClick={() => showNodes(flow, activeTab().selected)}
      >
        <Maximize size={14} aria-hidden />
      </button>
    </div>
  );
}

/** Shows these nodes, or all where none is named. */
export function showNodes(
  flow: Pick<ReturnType<typeof useReactFlow>, "fitBounds">,
  keys: readonly string[] = [],
): void {
  const { graph } = activeTab();
  const bounds = keys.length > 0 ? boundsOf(graph, keys) : boundsOfAll(graph);
  if (bounds !== null) void flow.fitBounds(bounds, { padding: 0.12, duration: 240 });
}

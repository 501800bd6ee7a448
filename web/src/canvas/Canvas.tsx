/** The graph on its canvas: drawing, dragging, pulling wires and dropping. */
import {
  Background,
  BackgroundVariant,
  type EdgeChange,
  type NodeChange,
  ReactFlow,
  type ReactFlowProps,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import { type MouseEvent, useEffect, useRef, useState } from "react";
import { resizeNode } from "../document/edit";
import type { Point, Size } from "../document/graph";
import { useArranging } from "../state/editing/arranging";
import { dragTo } from "../state/editing/moving";
import { drawnBounds } from "../state/nodes/boxes";
import { TITLE } from "../state/nodes/shape";
import { useSetting } from "../state/settings";
import {
  activeTab,
  edit,
  endThread,
  select,
  setViewport,
  useActive,
  type Viewport,
} from "../state/studio";
import { t } from "../words/words";
import { Breadcrumbs } from "./Breadcrumbs";
import { clickWire } from "./clickWire";
import { useCanvasHandle } from "./clipboard";
import { draggedAt, useDragging } from "./dragging";
import { fittedView, MIN_ZOOM, useFittedView } from "./fitting";
import { type FlowEdge, type FlowNode, OVERVIEW_BELOW } from "./flow";
import { levelKey, useFlowElements } from "./flowElements";
import {
  BoundaryCard,
  ContextMenu,
  DifferenceLayer,
  FoldCard,
  Groups,
  Minimap,
  NoteCard,
  Overview,
  Pulling,
  RerouteCard,
  SelectionBar,
  WireLayer,
  WireMarks,
  WireMenu,
} from "./lazyParts";
import { NodeCard } from "./NodeCard";
import { continueDrag, startDrag, stopDrag } from "./nodeDrag";
import { usePaintedWires } from "./paintedWires";
import { usePointing } from "./pointing";
import { SelectionOverlay, useSelecting } from "./Selecting";
import { useLongPress } from "./touch";
import { Wire } from "./Wire";
import { useWheel } from "./wheel";
import { ZoomBar } from "./ZoomBar";

const NODE_TYPES = {
  card: NodeCard,
  boundary: BoundaryCard,
  note: NoteCard,
  fold: FoldCard,
  reroute: RerouteCard,
};
const EDGE_TYPES = { wire: Wire };
/** React Flow updates on every prop with a new identity, so these are created once. */
const ADDING = ["Shift", "Control", "Meta"];
const NO_EDGES: FlowEdge[] = [];

/** The props that never change: React Flow updates on every prop with a new identity. */
const ALWAYS = {
  nodeTypes: NODE_TYPES,
  edgeTypes: EDGE_TYPES,
  onNodesChange,
  onEdgesChange,
  onNodeDragStart: startDrag,
  onNodeDrag: continueDrag,
  onNodeDragStop: stopDrag,
  onEdgeClick,
  onMoveEnd,
  // The canvas handles pulling of wires itself: see pullPointer.ts.
  nodesConnectable: false,
  connectOnClick: false,
  edgesReconnectable: false,
  // A press that moves no further than this, in pixels, is a click and not a drag.
  nodeClickDistance: 1,
  onlyRenderVisibleElements: true,
  minZoom: MIN_ZOOM,
  maxZoom: 2.5,
  // wheel.ts decides what the wheel does before React Flow's handlers run.
  noWheelClassName: "never",
  zoomOnDoubleClick: false,
  deleteKeyCode: null,
  selectionKeyCode: null,
  multiSelectionKeyCode: ADDING,
  // Cards take the focus, and commands handle the keys: see roving.ts.
  nodesFocusable: false,
  edgesFocusable: false,
  disableKeyboardA11y: true,
  elevateNodesOnSelect: true,
} as const satisfies ReactFlowProps<FlowNode, FlowEdge>;

export function Canvas() {
  const shown = useActive(levelKey);
  return (
    <ReactFlowProvider key={shown}>
      <Board />
    </ReactFlowProvider>
  );
}

function Board() {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const [firstView] = useState(() => activeTab().viewport ?? guessedView());
  // Until React Flow has measured the page it has no view, and would build every node.
  const overview = useStore(
    ({ width, transform }) => (width === 0 ? firstView.zoom : transform[2]) < OVERVIEW_BELOW,
  );
  const fading = useFading(overview);
  const { nodes, edges } = useFlowElements(overview);
  const box = useRef<HTMLElement>(null);
  const pointer = useCanvasHandle(flow, box);
  useFittedView(flow, box);
  useDragging(flow, box, overview);
  useWheel(box);
  useLongPress(flow, box);
  const byWheel = useSetting("calotype.device");
  const wires = usePaintedWires(box, edges, overview);
  const zoom = flow.getZoom;
  const painted = (at: Point, alt = false) => (overview ? draggedAt(at, zoom(), alt) : null);
  const panning = useSelecting(flow, box, (at, alt) => painted(at, alt) !== null);
  const tool = useSetting("calotype.drag");
  const settling = useArranging((state) => state.animating);

  const handlers = usePointing(flow, pointer, { overview, isPainted: wires.painted !== null });

  return (
    <section
      ref={box}
      className={`canvas${settling ? " settling" : ""}${fading ? " arriving" : ""}`}
      data-tool={tool}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard moves from here to nodes
      tabIndex={0}
      aria-label={t("Graph")}
      {...handlers.box}
    >
      <ReactFlow<FlowNode, FlowEdge>
        nodes={nodes}
        edges={overview ? NO_EDGES : wires.edges}
        {...ALWAYS}
        {...handlers.pane}
        panOnDrag={panning}
        zoomOnScroll={byWheel === "mouse"}
        panOnScroll={byWheel === "trackpad"}
        defaultViewport={firstView}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.8} />
        {wires.painted !== null && <WireLayer edges={edges} painted={wires.painted} />}
        {!overview && <Groups />}
        <SelectionOverlay />
        {!overview && <WireMarks />}
        {(overview || fading) && <Overview />}
        <DifferenceLayer />
        <Pulling box={box} overview={overview} />
      </ReactFlow>
      <Above />
      <ContextMenu box={box} painted={painted} />
    </section>
  );
}

/** The parts above the graph that do not move with the view. */
function Above() {
  return (
    <>
      <Breadcrumbs />
      <ZoomBar />
      <Minimap />
      <WireMenu />
      <SelectionBar />
    </>
  );
}

const FADE = 160;

/** Whether the overview was left just now: nodes then fade in over it. */
function useFading(overview: boolean): boolean {
  const [fading, setFading] = useState(false);
  const before = useRef(overview);
  if (before.current !== overview) {
    before.current = overview;
    setFading(!overview);
  }
  useEffect(() => {
    if (!fading) return;
    const timer = setTimeout(() => setFading(false), FADE);
    return () => clearTimeout(timer);
  }, [fading]);
  return fading;
}

function onMoveEnd(_event: unknown, viewport: Viewport): void {
  setViewport(viewport);
}

function onEdgeClick(event: MouseEvent, wire: FlowEdge): void {
  clickWire(event, wire.id);
}

/** The bars around the canvas, in pixels, while no panel is open. */
const AROUND = { width: 44, height: 73 };

/** An estimate of the view of a fitted document, so that nodes outside of it are not built. */
function guessedView(): Viewport {
  const bounds = drawnBounds() ?? { x: 0, y: 0, width: 800, height: 600 };
  const width = Math.max(window.innerWidth - AROUND.width, 300);
  const height = Math.max(window.innerHeight - AROUND.height, 300);
  return fittedView(bounds, { width, height });
}

function onNodesChange(changes: NodeChange<FlowNode>[]): void {
  const moved: Record<string, { x: number; y: number }> = {};
  const chosen = new Set(activeTab().selected);
  let reselected = false;
  for (const each of changes) {
    if (each.type === "position" && each.position !== undefined && each.dragging === true) {
      moved[each.id] = each.position;
    }
    if (each.type === "dimensions" && each.dimensions !== undefined && each.resizing === true) {
      resize(each.id, each.dimensions);
    }
    if (each.type === "dimensions" && each.resizing === false) endThread();
    if (each.type === "select") {
      reselected = true;
      if (each.selected) chosen.add(each.id);
      else chosen.delete(each.id);
    }
  }
  if (reselected) select([...chosen], activeTab().selectedLinks);
  if (Object.keys(moved).length > 0) dragTo(moved);
}

function resize(key: string, { width, height }: Size): void {
  const size = { width: Math.round(width), height: Math.round(height - TITLE) };
  edit("Resize", (draft) => resizeNode(draft, key, size), `resize ${key}`);
}

function onEdgesChange(changes: EdgeChange<FlowEdge>[]): void {
  const { selected, selectedLinks } = activeTab();
  const chosen = new Set(selectedLinks);
  for (const each of changes) {
    if (each.type !== "select") continue;
    if (each.selected) chosen.add(each.id);
    else chosen.delete(each.id);
  }
  select(selected, [...chosen]);
}

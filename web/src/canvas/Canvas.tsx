/** The graph on its canvas: what is drawn, dragged, pulled and dropped. */
import {
  Background,
  BackgroundVariant,
  type EdgeChange,
  getViewportForBounds,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import {
  type DragEvent,
  type MouseEvent,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { resizeNode } from "../document/edit";
import type { Point, Size } from "../document/graph";
import { useArranging } from "../state/arranging";
import { openFile } from "../state/files";
import { enter } from "../state/levels";
import { dragTo } from "../state/moving";
import { isInstance } from "../state/places";
import { takeDropped } from "../state/results";
import { useRuns } from "../state/runs";
import { useSetting } from "../state/settings";
import { boundsOf, boundsOfAll, TITLE } from "../state/shape";
import {
  activeTab,
  edit,
  endThread,
  select,
  setViewport,
  useActive,
  useStudio,
  type Viewport,
} from "../state/studio";
import { useView } from "../state/view";
import { BoundaryCard } from "./BoundaryCard";
import { Breadcrumbs } from "./Breadcrumbs";
import { ContextMenu } from "./ContextMenu";
import { useCanvasHandle } from "./clipboard";
import { disconnect, joinEnds, letGo, mayJoin, reconnect, startPulling } from "./connecting";
import { DifferenceLayer } from "./DifferenceLayer";
import { useDragging } from "./dragging";
import { goOnDragging, startDrag, stopDrag } from "./entering";
import { FoldCard } from "./FoldCard";
import { type FlowEdge, type FlowNode, Projection } from "./flow";
import { foldEdges, foldNodes } from "./folding";
import { Groups } from "./Groups";
import { Minimap } from "./Minimap";
import { NodeCard } from "./NodeCard";
import { NoteCard } from "./NoteCard";
import { nodeAt, Overview } from "./Overview";
import { RerouteCard } from "./RerouteCard";
import { Drawn, useSelecting } from "./Selecting";
import { SelectionBar } from "./SelectionBar";
import { useLongPress } from "./touch";
import { PulledWire, Wire } from "./Wire";
import { paintedWireAt, usePaintedWires, WireLayer } from "./WireLayer";
import { WireMarks } from "./WireMarks";
import { clickWire, WireMenu } from "./WireMenu";
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
/** Below this zoom, nodes are painted instead of built: nobody reads their fields there. */
export const OVERVIEW_BELOW = 0.4;
const MIN_ZOOM = 0.05;
const FIRST_PADDING = 0.06;
/** The library takes in anew whatever is not the same object as before: nothing is made as it draws. */
const ADDING = ["Shift", "Control", "Meta"];
const NO_NODES: FlowNode[] = [];
const NO_EDGES: FlowEdge[] = [];

export function Canvas() {
  const shown = useActive((tab) => [tab.id, ...tab.level].join(":"));
  return (
    <ReactFlowProvider key={shown}>
      <Board />
    </ReactFlowProvider>
  );
}

function Board() {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const shown = useRuns((state) => state.shown);
  const [firstView] = useState(() => tab.viewport ?? guessedView());
  // Until the library has looked at the page it knows no view, and would build every node.
  const overview = useStore(
    ({ width, transform }) => (width === 0 ? firstView.zoom : transform[2]) < OVERVIEW_BELOW,
  );
  const fading = useFading(overview);
  const [projection] = useState(() => new Projection());
  const nodes = useMemo(
    () => foldNodes(projection.nodes(tab, catalog, shown), tab.graph),
    [projection, tab, catalog, shown],
  );
  const edges = useMemo(
    () => foldEdges(projection.edges(tab, catalog), tab.graph),
    [projection, tab, catalog],
  );
  const box = useRef<HTMLDivElement>(null);
  const pointer = useCanvasHandle(flow, box);
  useFirstView(flow, box);
  useDragging(flow, box, overview);
  useWheel(box);
  useLongPress(flow, box);
  const byWheel = useSetting("calotype.device");
  const wires = usePaintedWires(box, edges, overview);
  const painted = (at: Point) => (overview ? nodeAt(at) : null);
  const panning = useSelecting(flow, box, (at) => painted(at) !== null);
  const tool = useSetting("calotype.drag");
  const settling = useArranging((state) => state.settling);

  const atScreen = useCallback(
    (x: number, y: number) => flow.screenToFlowPosition({ x, y }),
    [flow],
  );

  const isPainted = wires.painted !== null;
  const onPaneClick = useCallback(
    (event: MouseEvent) => {
      const screen = { x: event.clientX, y: event.clientY };
      const at = flow.screenToFlowPosition(screen, { snapToGrid: false });
      const key = overview ? nodeAt(at) : null;
      const wire = isPainted ? paintedWireAt(at, flow.getZoom()) : null;
      if (wire !== null) clickWire(event, wire);
      else select(key === null ? [] : [key]);
    },
    [overview, flow, isPainted],
  );
  const onMouseMove = useCallback(
    (event: MouseEvent) => {
      pointer.current = { x: event.clientX, y: event.clientY };
    },
    [pointer],
  );

  const onDoubleClick = (event: MouseEvent) => {
    if (enterAt(event.target)) return;
    if (!isPane(event.target)) return;
    const at = atScreen(event.clientX, event.clientY);
    const key = overview ? nodeAt(at) : null;
    const bounds = key === null ? null : boundsOf(activeTab().graph, [key]);
    if (bounds !== null) void flow.fitBounds(bounds, { padding: 0.6, duration: 240 });
    else {
      const screen = { x: event.clientX, y: event.clientY };
      useView.setState({ palette: { screen, at, pulled: null } });
    }
  };

  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    const at = { x: event.clientX, y: event.clientY };
    if (takeDropped(event.dataTransfer, event.target, at)) return;
    const [file] = event.dataTransfer.files;
    if (file !== undefined) void openFile(file, atScreen(event.clientX, event.clientY));
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys do the same, see keys.ts
    <div
      ref={box}
      className={`canvas${settling ? " settling" : ""}${fading ? " arriving" : ""}`}
      data-tool={tool}
      onDoubleClick={onDoubleClick}
      onDragOver={(event) => event.preventDefault()}
      onDrop={onDrop}
    >
      <ReactFlow<FlowNode, FlowEdge>
        nodes={overview ? NO_NODES : nodes}
        edges={overview ? NO_EDGES : wires.edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onNodeDragStart={startDrag}
        onNodeDrag={goOnDragging}
        onNodeDragStop={stopDrag}
        onConnectStart={startPulling}
        onConnect={joinEnds}
        isValidConnection={mayJoin}
        onConnectEnd={letGo}
        onReconnect={reconnect}
        onReconnectEnd={disconnect}
        onEdgeClick={onEdgeClick}
        onPaneClick={onPaneClick}
        onMouseMove={onMouseMove}
        onMoveEnd={onMoveEnd}
        connectionLineComponent={PulledWire}
        connectionRadius={18}
        onlyRenderVisibleElements
        minZoom={MIN_ZOOM}
        maxZoom={2.5}
        panOnDrag={panning}
        zoomOnScroll={byWheel === "mouse"}
        panOnScroll={byWheel === "trackpad"}
        noWheelClassName="never"
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={ADDING}
        disableKeyboardA11y
        elevateNodesOnSelect
        defaultViewport={firstView}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.8} />
        {wires.painted !== null && <WireLayer edges={edges} painted={wires.painted} />}
        {!overview && <Groups />}
        <Drawn />
        {!overview && <WireMarks />}
        {(overview || fading) && <Overview />}
        <DifferenceLayer />
      </ReactFlow>
      <Breadcrumbs />
      <ZoomBar />
      <Minimap />
      <WireMenu />
      <SelectionBar />
      <ContextMenu box={box} painted={painted} />
      {tab.graph.order.length === 0 && <Empty />}
    </div>
  );
}

const FADE = 160;

/** Whether the overview was left just now: nodes come into view over it. */
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

function Empty() {
  return (
    <div className="empty-canvas">
      <p>Double-click to add a node, or drop a workflow or a picture made with one here.</p>
    </div>
  );
}

/** Goes into the instance of a subgraph that was double-clicked, if it was one. */
function enterAt(target: EventTarget): boolean {
  if (!(target instanceof Element) || target.closest("input, textarea, button, .field") !== null) {
    return false;
  }
  const key = target.closest<HTMLElement>("[data-node]")?.dataset.node;
  if (key === undefined || !isInstance(activeTab(), key)) return false;
  enter(key);
  return true;
}

function isPane(target: EventTarget): boolean {
  // Nodes and wires lie within the pane: only the pane itself is empty.
  return target instanceof Element && target.matches(".react-flow__pane");
}

const AROUND = { width: 360, height: 220 };

/** About where a fitted document will be, so that nothing is built that will not be seen. */
function guessedView(): Viewport {
  const { graph } = activeTab();
  const bounds = boundsOfAll(graph) ?? { x: 0, y: 0, width: 800, height: 600 };
  const width = Math.max(window.innerWidth - AROUND.width, 300);
  const height = Math.max(window.innerHeight - AROUND.height, 300);
  return getViewportForBounds(bounds, width, height, MIN_ZOOM, 1, FIRST_PADDING);
}

/** Fits a document that was never shown. */
function useFirstView(
  flow: ReturnType<typeof useReactFlow<FlowNode, FlowEdge>>,
  box: React.RefObject<HTMLDivElement | null>,
): void {
  useEffect(() => {
    const { graph, viewport } = activeTab();
    const bounds = boundsOfAll(graph);
    if (viewport !== null || bounds === null || box.current === null) return;
    void flow
      .fitBounds(bounds, { padding: FIRST_PADDING })
      .then(() => setViewport(flow.getViewport()));
  }, [flow, box]);
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

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
import { type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import { resizeNode } from "../document/edit";
import type { Size } from "../document/graph";
import { useArranging } from "../state/editing/arranging";
import { drawnBounds } from "../state/editing/boxes";
import { dragTo } from "../state/editing/moving";
import { fieldServicesOf } from "../state/fields/fieldServices";
import { TITLE } from "../state/nodes/shape";
import { Editor, EditorContext, useEditor, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { edit, endThread, select, setViewport, type Viewport } from "../state/session/studio";
import { FieldServicesContext } from "../widgets/services";
import { t } from "../words/words";
import { clickWire } from "./clickWire";
import { useCanvasHandle } from "./clipboard";
import { fittedView, MIN_ZOOM, useFittedView } from "./fitting";
import { type FlowEdge, type FlowNode, OVERVIEW_BELOW } from "./flow";
import { levelKey, useFlowElements } from "./flowElements";
import {
  BoundaryCard,
  Breadcrumbs,
  ContextMenu,
  DifferenceLayer,
  FoldCard,
  Gestures,
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
  ZoomBar,
} from "./lazyParts";
import { NodeCard } from "./NodeCard";
import { type Dragged, finishDrag, followDrag, startDrag } from "./nodeDrag";
import { usePaintedWires } from "./paintedWires";
import { usePointing } from "./pointing";
import { Wire } from "./Wire";
import { useWheel } from "./wheel";

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
/** The pointer buttons that move the view. */
const LEFT_AND_MIDDLE = [0, 1];
const MIDDLE_ONLY = [1];

/** The props that never change: React Flow updates on every prop with a new identity. */
const ALWAYS = {
  nodeTypes: NODE_TYPES,
  edgeTypes: EDGE_TYPES,
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

/** The canvas of a view of an open document. */
export function Canvas({ view }: { view: string }) {
  return (
    <EditorContext value={view}>
      <FieldServicesContext value={useMemo(() => fieldServicesOf(new Editor(view)), [view])}>
        <LevelCanvas />
      </FieldServicesContext>
    </EditorContext>
  );
}

function LevelCanvas() {
  const shown = useTab(levelKey);
  return (
    <ReactFlowProvider key={shown}>
      <Board />
    </ReactFlowProvider>
  );
}

function Board() {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const editor = useEditor();
  const [firstView] = useState(() => editor.tab.viewport ?? guessedView(editor));
  // Until React Flow has measured the page it has no view, and would build every node.
  const overview = useStore(
    ({ width, transform }) => (width === 0 ? firstView.zoom : transform[2]) < OVERVIEW_BELOW,
  );
  const fading = useFading(overview);
  const { nodes, edges } = useFlowElements(overview);
  const box = useRef<HTMLElement>(null);
  const pointer = useCanvasHandle(editor, flow, box);
  useFittedView(flow, box);
  useWheel(box);
  const wires = usePaintedWires(box, edges, overview);
  const tool = useSetting("calotype.drag");
  const reports = useReports(editor);
  const isPainted = wires.painted !== null;
  const handlers = usePointing(editor, flow, pointer, { overview, isPainted });
  return (
    <section
      ref={box}
      className={useClasses(fading)}
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
        {...reports}
        {...handlers.pane}
        panOnDrag={tool === "hand" ? LEFT_AND_MIDDLE : MIDDLE_ONLY}
        defaultViewport={firstView}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.8} />
        {wires.painted !== null && <WireLayer edges={edges} painted={wires.painted} />}
        {!overview && <Groups />}
        <Gestures box={box} overview={overview} />
        {!overview && <WireMarks />}
        {(overview || fading) && <Overview />}
        <DifferenceLayer />
        <Pulling box={box} overview={overview} />
      </ReactFlow>
      <Above />
      <ContextMenu box={box} overview={overview} />
    </section>
  );
}

/** "aside": beside the view that commands and keys act on. */
function useClasses(fading: boolean): string {
  const settling = useGesture(useArranging, (state) => state.animating, false);
  const isFocused = useGesture(useArranging, () => true, false);
  const classes = ["canvas", settling && "settling", fading && "arriving", !isFocused && "aside"];
  return classes.filter(Boolean).join(" ");
}

/** The props for what React Flow reports, and for what the wheel does. */
function useReports(editor: Editor) {
  const device = useSetting("calotype.device");
  const handlers = useMemo(() => changeHandlers(editor), [editor]);
  return { ...handlers, zoomOnScroll: device === "mouse", panOnScroll: device === "trackpad" };
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

/** The bars around the canvas, in pixels, while no panel is open. */
const AROUND = { width: 44, height: 73 };

/** An estimate of the view of a fitted document, so that nodes outside of it are not built. */
function guessedView(editor: Editor): Viewport {
  const bounds = drawnBounds(editor) ?? { x: 0, y: 0, width: 800, height: 600 };
  const width = Math.max(window.innerWidth - AROUND.width, 300);
  const height = Math.max(window.innerHeight - AROUND.height, 300);
  return fittedView(bounds, { width, height });
}

/** What React Flow reports about the nodes, wires and view of a document. */
function changeHandlers(editor: Editor) {
  return {
    onNodesChange: (changes: NodeChange<FlowNode>[]) => changeNodes(editor, changes),
    onEdgesChange: (changes: EdgeChange<FlowEdge>[]) => changeEdges(editor, changes),
    onNodeDragStart: (event: Dragged) => startDrag(editor, event),
    onNodeDrag: (event: Dragged, _node: FlowNode, nodes: readonly FlowNode[]) =>
      followDrag(
        event,
        nodes.map(({ id }) => id),
      ),
    onNodeDragStop: (_event: Dragged, _node: FlowNode, nodes: readonly FlowNode[]) =>
      finishDrag(
        editor,
        nodes.map(({ id }) => id),
      ),
    onEdgeClick: (event: MouseEvent, wire: FlowEdge) => clickWire(editor, event, wire.id),
    onMoveEnd: (_event: unknown, viewport: Viewport) => setViewport(editor.id, viewport),
  };
}

function changeNodes(editor: Editor, changes: NodeChange<FlowNode>[]): void {
  const moved: Record<string, { x: number; y: number }> = {};
  const chosen = new Set(editor.tab.selected);
  let reselected = false;
  for (const each of changes) {
    if (each.type === "position" && each.position !== undefined && each.dragging === true) {
      moved[each.id] = each.position;
    }
    if (each.type === "dimensions" && each.dimensions !== undefined && each.resizing === true) {
      resize(editor, each.id, each.dimensions);
    }
    if (each.type === "dimensions" && each.resizing === false) endThread(editor);
    if (each.type === "select") {
      reselected = true;
      if (each.selected) chosen.add(each.id);
      else chosen.delete(each.id);
    }
  }
  if (reselected) select(editor, [...chosen], editor.tab.selectedLinks);
  if (Object.keys(moved).length > 0) dragTo(editor, moved);
}

function resize({ tab: { id, level } }: Editor, key: string, { width, height }: Size): void {
  const size = { width: Math.round(width), height: Math.round(height - TITLE) };
  edit({ id, level }, "Resize", (draft) => resizeNode(draft, key, size), `resize ${key}`);
}

function changeEdges({ id, tab }: Editor, changes: EdgeChange<FlowEdge>[]): void {
  const { selected, selectedLinks } = tab;
  const chosen = new Set(selectedLinks);
  for (const each of changes) {
    if (each.type !== "select") continue;
    if (each.selected) chosen.add(each.id);
    else chosen.delete(each.id);
  }
  select({ id }, selected, [...chosen]);
}

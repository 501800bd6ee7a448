/** The graph on its canvas: what is drawn, dragged, pulled and dropped. */
import {
  Background,
  BackgroundVariant,
  type Connection,
  type EdgeChange,
  type FinalConnectionState,
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
import { moveNodes, removeLink, resizeNode } from "../document/edit";
import type { Size } from "../document/graph";
import { join, refusalOf, type Wire as WireEnds } from "../state/actions";
import { openFile } from "../state/files";
import { inputsOf } from "../state/inputs";
import { useRuns } from "../state/runs";
import type { Pulled } from "../state/search";
import { bodyAt, boundsOf, GRID, inputType, outputType, TITLE } from "../state/shape";
import { closeness } from "../state/sockets";
import {
  activeTab,
  edit,
  endThread,
  schemaOf,
  select,
  setViewport,
  useActive,
  useStudio,
  type Viewport,
} from "../state/studio";
import { useView } from "../state/view";
import { useCanvasHandle } from "./clipboard";
import { type FlowEdge, type FlowNode, Projection } from "./flow";
import { Groups } from "./Groups";
import { NodeCard } from "./NodeCard";
import { nodeAt, Overview } from "./Overview";
import { PulledWire, Wire } from "./Wire";
import { WireMarks } from "./WireMarks";
import { clickWire, WireMenu } from "./WireMenu";
import { ZoomBar } from "./ZoomBar";

const NODE_TYPES = { card: NodeCard };
const EDGE_TYPES = { wire: Wire };
/** Below this zoom, nodes are painted instead of built: nobody reads their fields there. */
export const OVERVIEW_BELOW = 0.4;
const MIN_ZOOM = 0.05;
const FIRST_PADDING = 0.06;
const NO_NODES: FlowNode[] = [];
const NO_EDGES: FlowEdge[] = [];

export function Canvas() {
  const active = useStudio((state) => state.active);
  return (
    <ReactFlowProvider key={active}>
      <Board />
    </ReactFlowProvider>
  );
}

function Board() {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const shown = useRuns((state) => state.shown);
  const overview = useStore((state) => state.transform[2] < OVERVIEW_BELOW);
  const [projection] = useState(() => new Projection());
  const nodes = useMemo(
    () => projection.nodes(tab, catalog, shown),
    [projection, tab, catalog, shown],
  );
  const edges = useMemo(() => projection.edges(tab, catalog), [projection, tab, catalog]);
  const box = useRef<HTMLDivElement>(null);
  const [firstView] = useState(() => tab.viewport ?? guessedView());
  const pointer = useCanvasHandle(flow, box);
  useFirstView(flow, box);

  const atScreen = useCallback(
    (x: number, y: number) => flow.screenToFlowPosition({ x, y }),
    [flow],
  );

  const openPalette = (x: number, y: number, pulled: Pulled | null = null) =>
    useView.setState({ palette: { screen: { x, y }, at: atScreen(x, y), pulled } });

  const onDoubleClick = (event: MouseEvent) => {
    if (!isPane(event.target)) return;
    const at = atScreen(event.clientX, event.clientY);
    const key = overview ? nodeAt(at) : null;
    const bounds = key === null ? null : boundsOf(activeTab().graph, [key]);
    if (bounds !== null) void flow.fitBounds(bounds, { padding: 0.6, duration: 240 });
    else openPalette(event.clientX, event.clientY);
  };

  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file !== undefined) void openFile(file, atScreen(event.clientX, event.clientY));
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys do the same, see keys.ts
    <div
      ref={box}
      className="canvas"
      onDoubleClick={onDoubleClick}
      onDragOver={(event) => event.preventDefault()}
      onDrop={onDrop}
    >
      <ReactFlow<FlowNode, FlowEdge>
        nodes={overview ? NO_NODES : nodes}
        edges={overview ? NO_EDGES : edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onNodeDragStop={endThread}
        onConnect={(connection) => joinEnds(connection)}
        isValidConnection={(connection) => {
          const ends = endsOf(connection);
          return ends !== null && refusalOf(ends) === null;
        }}
        onConnectEnd={(event, state) => {
          const { clientX, clientY } =
            "changedTouches" in event
              ? (event.changedTouches[0] ?? { clientX: 0, clientY: 0 })
              : event;
          const pulled = endPulling(state);
          if (pulled !== null) openPalette(clientX, clientY, pulled);
        }}
        onReconnect={(edge, connection) => {
          const ends = endsOf(connection);
          if (ends !== null && refusalOf(ends) === null) {
            edit("Disconnect", (draft) => removeLink(draft, edge.id), `reconnect ${edge.id}`);
            join(ends);
          }
        }}
        onReconnectEnd={(_event, edge, _type, state) => {
          if (state.toHandle === null && edge.id in activeTab().graph.links) {
            edit("Disconnect", (draft) => removeLink(draft, edge.id));
          }
        }}
        onEdgeClick={(event, wire) => clickWire(event, wire.id)}
        onPaneClick={(event) => {
          const key = overview ? nodeAt(atScreen(event.clientX, event.clientY)) : null;
          select(key === null ? [] : [key]);
        }}
        onMouseMove={(event) => {
          pointer.current = { x: event.clientX, y: event.clientY };
        }}
        onMoveEnd={(_event, viewport) => setViewport(viewport)}
        connectionLineComponent={PulledWire}
        connectionRadius={18}
        onlyRenderVisibleElements
        minZoom={MIN_ZOOM}
        maxZoom={2.5}
        snapToGrid
        snapGrid={[GRID, GRID]}
        panOnDrag={[0, 1]}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        selectionKeyCode={["Shift", "Control", "Meta"]}
        multiSelectionKeyCode={["Shift", "Control", "Meta"]}
        disableKeyboardA11y
        elevateNodesOnSelect
        defaultViewport={firstView}
      >
        <Background variant={BackgroundVariant.Dots} gap={24} size={1.8} />
        {!overview && <Groups />}
        {!overview && <WireMarks />}
        {overview && <Overview />}
      </ReactFlow>
      <ZoomBar />
      <WireMenu />
      {tab.graph.order.length === 0 && <Empty />}
    </div>
  );
}

function Empty() {
  return (
    <div className="empty-canvas">
      <p>Double-click to add a node, or drop a workflow or a picture made with one here.</p>
    </div>
  );
}

function isPane(target: EventTarget): boolean {
  return target instanceof Element && target.closest(".react-flow__pane") !== null;
}

const AROUND = { width: 360, height: 220 };

/** About where a fitted document will be, so that nothing is built that will not be seen. */
function guessedView(): Viewport {
  const { graph } = activeTab();
  const bounds = boundsOf(graph, graph.order) ?? { x: 0, y: 0, width: 800, height: 600 };
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
    const bounds = boundsOf(graph, graph.order);
    if (viewport !== null || bounds === null || box.current === null) return;
    void flow
      .fitBounds(bounds, { padding: FIRST_PADDING })
      .then(() => setViewport(flow.getViewport()));
  }, [flow, box]);
}

function onNodesChange(changes: NodeChange<FlowNode>[]): void {
  const moved: Record<string, { x: number; y: number }> = {};
  const { selected, graph } = activeTab();
  const chosen = new Set(selected);
  let reselected = false;
  for (const each of changes) {
    if (each.type === "position" && each.position !== undefined && each.dragging === true) {
      moved[each.id] = bodyAt(each.position);
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
  const keys = Object.keys(moved).filter((key) => key in graph.nodes);
  if (keys.length > 0) {
    edit("Move", (draft) => moveNodes(draft, moved), `move ${keys.join()}`);
  }
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

function endsOf(connection: Connection | FlowEdge): WireEnds | null {
  const { source, sourceHandle, target, targetHandle } = connection;
  if (sourceHandle == null || targetHandle == null) return null;
  return { from: source, slot: Number(sourceHandle), to: target, input: targetHandle };
}

function joinEnds(connection: Connection): void {
  const ends = endsOf(connection);
  if (ends !== null) join(ends);
}

/**
 * The end of pulling a wire. Over a socket that does not fit: says why. Over a node: joins the
 * closest of its sockets. Over nothing: hands back what was pulled, for the palette.
 */
function endPulling(state: FinalConnectionState): Pulled | null {
  const { fromHandle, fromNode, toHandle, toNode, isValid } = state;
  if (fromHandle === null || fromNode === null || isValid === true) return null;
  const isOutput = fromHandle.type === "source";
  const wire = (other: string, handle: string): WireEnds =>
    isOutput
      ? { from: fromNode.id, slot: Number(fromHandle.id), to: other, input: handle }
      : { from: other, slot: Number(handle), to: fromNode.id, input: fromHandle.id ?? "" };
  if (toHandle !== null && toNode !== null) {
    if (toHandle.type !== fromHandle.type) join(wire(toNode.id, toHandle.id ?? ""));
    return null;
  }
  const { graph } = activeTab();
  const node = graph.nodes[fromNode.id];
  if (node === undefined) return null;
  const schema = schemaOf(node.type);
  const type = isOutput
    ? outputType(node, schema, Number(fromHandle.id))
    : inputType(node, schema, fromHandle.id ?? "");
  if (toNode !== null && toNode.id !== fromNode.id) {
    const handle = closestSocket(toNode.id, type, isOutput);
    if (handle !== null) join(wire(toNode.id, handle));
    return null;
  }
  const side = isOutput ? "output" : "input";
  return { node: fromNode.id, socket: fromHandle.id ?? "", side, type };
}

function closestSocket(key: string, type: string, isOutput: boolean): string | null {
  const node = activeTab().graph.nodes[key];
  if (node === undefined) return null;
  const schema = schemaOf(node.type);
  const free = (name: string) =>
    node.inputs.some((each) => each.name === name && each.link !== null) ? 0 : 0.5;
  const sockets = isOutput
    ? (schema === undefined ? [] : inputsOf(schema, node))
        .filter((each) => each.section !== "hidden")
        .map((each) => ({ id: each.name, near: closeness(type, each.type) + free(each.name) }))
    : (schema?.outputs ?? []).map((each, index) => ({
        id: String(index),
        near: closeness(each.type, type),
      }));
  const best = sockets
    .filter((each) => each.near >= 0)
    .sort((one, other) => other.near - one.near)[0];
  return best?.id ?? null;
}

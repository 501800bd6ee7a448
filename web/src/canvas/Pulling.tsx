/** The wire that is being pulled, and the words beside the pointer: see `pullPointer.ts`. */

import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { type RefObject, useEffect, useMemo } from "react";
import type { Graph, Point } from "../document/graph";
import { isAttachedHere, markOf, type Pull, type Target, usePulling } from "../state/editing/pull";
import { pathOf, svgPen, traceWire, type WireShape } from "../state/editing/wires";
import type { Pulled } from "../state/finding/fitting";
import { colourOf } from "../state/nodes/kinds";
import { titleOf } from "../state/nodes/naming";
import { inputType, outputType } from "../state/nodes/shape";
import { type Editor, useEditor, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { setViewport } from "../state/session/studio";
import { t } from "../words/words";
import type { FlowEdge, FlowNode } from "./flow";
import { PullPointer } from "./pullPointer";
import { placeOf, socketsOf } from "./socketPlaces";
import "./pulling.css";

interface Props {
  box: RefObject<HTMLElement | null>;
  /** Nodes are painted: their sockets are shown only here. */
  overview: boolean;
}

/** Listens to the pointer all the time; renders only while a wire is pulled. */
export function Pulling({ box, overview }: Props) {
  usePullPointer(box);
  const pull = useGesture(usePulling, (state) => state.pull, null);
  return pull === null ? null : <PullLayer pull={pull} overview={overview} />;
}

function usePullPointer(box: RefObject<HTMLElement | null>): void {
  const flow = useReactFlow<FlowNode, FlowEdge>();
  const store = useStoreApi();
  const editor = useEditor();
  useEffect(() => {
    if (box.current === null) return;
    const pointer = new PullPointer(box.current, {
      editor,
      toGraph: (screen) => flow.screenToFlowPosition(screen, { snapToGrid: false }),
      zoom: () => flow.getZoom(),
      moveBy: (by) => void store.getState().panBy(by),
      afterMove: () => setViewport(editor.id, flow.getViewport()),
    });
    const stops = [
      pointer.listen(),
      store.subscribe((now, before) => {
        if (now.transform !== before.transform) pointer.viewMoved();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [box, flow, store, editor]);
}

function PullLayer({ pull, overview }: { pull: Pull; overview: boolean }) {
  const [x, y, zoom] = useStore((state) => state.transform);
  const width = useStore((state) => state.width);
  const editor = useEditor();
  const graph = useTab((tab) => tab.graph);
  const at = usePulling((state) => state.at);
  const target = usePulling((state) => state.target);
  const shape = useSetting("calotype.wireShape") as WireShape;
  const snapped = snappedSocket(target);
  const end = (snapped === null ? null : placeOf(editor, snapped)) ?? at;
  const isLoose = pull.detached !== null && target.kind === "nothing";
  const hint = hintOf(editor, target, snapped, overview);
  const isNearEdge = at.x * zoom + x + HINT_WIDTH > width;
  return (
    <svg className="pull-layer" aria-hidden>
      <g transform={`translate(${x} ${y}) scale(${zoom})`}>
        {overview && <Sockets pull={pull} graph={graph} editor={editor} />}
        {linesOf(editor, pull, graph, end, shape).map(({ id, path, type }) => (
          <path
            key={id}
            className={isLoose ? "pulled loose" : "pulled"}
            d={path}
            style={{ stroke: colourOf(type) }}
          />
        ))}
        {snapped !== null && overview && (
          <circle className="pull-aim" cx={end.x} cy={end.y} r={6 / zoom} />
        )}
      </g>
      {hint !== null && (
        <foreignObject
          x={at.x * zoom + x + (isNearEdge ? -HINT_OFFSET_X - HINT_WIDTH : HINT_OFFSET_X)}
          y={at.y * zoom + y + HINT_OFFSET_Y}
          width={HINT_WIDTH}
          height={80}
          className={isNearEdge ? "reason before" : "reason"}
        >
          <span className={hint.isRefusal ? "refusal" : ""}>{hint.text}</span>
        </foreignObject>
      )}
    </svg>
  );
}

/** The width that words beside the pointer may take, and their distance from it, in pixels. */
const HINT_WIDTH = 360;
const HINT_OFFSET_X = 14;
const HINT_OFFSET_Y = 10;

/** The socket that the wire snaps to. */
function snappedSocket(target: Target): Pulled | null {
  if (target.kind !== "socket" && target.kind !== "field" && target.kind !== "body") return null;
  const { node, verdict } = target;
  const { pull } = usePulling.getState();
  if (verdict.refusal !== null || verdict.socket === null || pull === null) return null;
  return { node, socket: verdict.socket, side: pull.seeks, type: "" };
}

/**
 * The reason of a refusal; for a node body, or in the overview, the names of the sockets that would
 * be joined.
 */
function hintOf(
  editor: Editor,
  target: Target,
  snapped: Pulled | null,
  overview: boolean,
): { text: string; isRefusal: boolean } | null {
  if (target.kind === "nothing" || target.kind === "outside") return null;
  const { refusal } = target.verdict;
  if (refusal !== null) return { text: refusal, isRefusal: true };
  if (snapped === null || (target.kind !== "body" && !overview)) return null;
  const node = editor.graph.nodes[snapped.node];
  if (node === undefined) return null;
  const label = labelOf(editor, snapped);
  const text = overview ? `${titleOf(node, editor.schemaOf(node.type))} \u00b7 ${label}` : label;
  return { text: t("connects to {{socket}}", { socket: text }), isRefusal: false };
}

function labelOf(editor: Editor, { node: key, socket, side }: Pulled): string {
  const node = editor.graph.nodes[key];
  if (side === "input" || node === undefined) return socket.split(".").at(-1) ?? socket;
  const slot = Number(socket);
  return (
    editor.schemaOf(node.type)?.outputs[slot]?.name || node.outputs[slot]?.name || t("New port")
  );
}

interface Line {
  id: string;
  path: string;
  type: string;
}

/**
 * The lines from each socket that holds the wire to its loose end, through the points of a wire
 * that was picked up.
 */
function linesOf(editor: Editor, pull: Pull, graph: Graph, end: Point, shape: WireShape): Line[] {
  const { detached, seeks, from } = pull;
  // Sockets at the same place hold one wire.
  const sources = detached === null ? from.slice(0, 1) : from;
  return sources.flatMap((each, index): Line[] => {
    const start = placeOf(editor, each);
    if (start === null) return [];
    const link = graph.links[detached?.links[index] ?? ""];
    const through = link === undefined ? [] : pathOf(graph, link);
    const points = seeks === "input" ? [start, ...through, end] : [end, ...through, start];
    const pen = svgPen();
    traceWire(pen, points, shape);
    return [
      { id: `${each.node} ${each.socket}`, path: pen.written(), type: typeOf(editor, graph, each) },
    ];
  });
}

function typeOf(editor: Editor, graph: Graph, { node: key, socket, side, type }: Pulled): string {
  const node = graph.nodes[key];
  if (node === undefined) return type;
  return side === "output"
    ? outputType(node, editor.schemaOf(node.type), Number(socket))
    : inputType(node, editor.schemaOf(node.type), socket);
}

/** In the overview, a dot for each socket that would take the wire. */
function Sockets({ pull, graph, editor }: { pull: Pull; graph: Graph; editor: Editor }) {
  const path = useMemo(() => {
    const parts: string[] = [];
    for (const key of graph.order) {
      for (const { node, socket, side, at, isField } of socketsOf(editor, key)) {
        const type = typeOf(editor, graph, { node, socket, side, type: "*" });
        const fits = !isField && markOf(editor, pull, { node, socket, side, type }) === "fit";
        if (fits || isAttachedHere(pull, { node, socket, side })) parts.push(`M${at.x} ${at.y}h0`);
      }
    }
    return parts.join("");
  }, [pull, graph, editor]);
  const [source] = pull.from;
  return (
    <path className="pull-sockets" d={path} style={{ stroke: colourOf(source?.type ?? "*") }} />
  );
}

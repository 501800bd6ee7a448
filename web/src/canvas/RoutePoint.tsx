/** A reroute point on wires: it can be moved, branched from and removed, by pointer or keyboard. */

import { type KeyboardEvent, useRef } from "react";
import type { Point } from "../document/graph";
import { linksThrough, moveReroutes } from "../document/reroute";
import { useArranging } from "../state/editing/arranging";
import { removePoints } from "../state/editing/connecting";
import { pulledFrom } from "../state/editing/drop";
import { beginDrag, cancelDrag, isDragOver } from "../state/editing/moving";
import { isHidden, useWiring } from "../state/editing/wiring";
import { foldedEnds } from "../state/nodes/folding";
import { colourOf } from "../state/nodes/kinds";
import { GRID, outputType } from "../state/nodes/shape";
import { canvas } from "../state/session/canvas";
import { type Editor, useCatalog, useEditor, useGesture, useTab } from "../state/session/editor";
import { useSetting } from "../state/session/settings";
import { edit, endThread, select, type Tab } from "../state/session/studio";
import { useView } from "../state/session/view";
import { usePointerDrag } from "../widgets/pointerDrag";
import { t } from "../words/words";

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID },
};

/** The type of the wires through a point, and their number. */
function useThrough(point: string): { type: string; count: number } {
  const graph = useTab((tab) => tab.graph);
  const catalog = useCatalog();
  const through = linksThrough(graph, point);
  const link = graph.links[through[0] ?? ""];
  const source = graph.nodes[link?.from ?? ""];
  const type =
    link === undefined || source === undefined
      ? "*"
      : outputType(source, catalog[source.type], link.fromSlot);
  return { type, count: through.length };
}

/** Moves all selected points if this one is among them, else this one alone. */
function movePoints({ tab: { id, level, graph } }: Editor, point: string, by: Point): void {
  const { points } = useWiring.getState();
  const moved = points.includes(point) ? points : [point];
  const { reroutes } = graph;
  const places = moved.flatMap((key) => {
    const at = reroutes[key]?.position;
    return at === undefined ? [] : [[key, { x: at.x + by.x, y: at.y + by.y }] as const];
  });
  edit(
    { id, level },
    "Move the reroute point",
    (draft) => moveReroutes(draft, Object.fromEntries(places)),
    `point ${point}`,
  );
}

/**
 * Pointer and key handlers that move or remove a point. With Alt the pointer pulls a wire
 * (`pressedAt.ts`).
 */
function usePointDrag(point: string) {
  const lastPosition = useRef<Point | null>(null);
  const editor = useEditor();
  const moveBy = (by: Point) => movePoints(editor, point, by);
  const toGraph = ({ clientX: x, clientY: y }: { clientX: number; clientY: number }) =>
    canvas(editor.id)?.toGraph({ x, y }) ?? null;
  const begin = (event: React.PointerEvent<HTMLButtonElement>) => {
    event.stopPropagation();
    beginDrag(editor);
    lastPosition.current = toGraph(event);
    const { points } = useWiring.getState();
    if (event.shiftKey) useWiring.setState({ points: [...points, point] });
    else if (!points.includes(point)) useWiring.setState({ points: [point] });
    select(editor, [], []);
    return point;
  };
  const move = (_: string, event: PointerEvent) => {
    const at = toGraph(event);
    if (lastPosition.current === null || at === null || isDragOver()) return;
    useArranging.setState({ dragging: true });
    moveBy({ x: at.x - lastPosition.current.x, y: at.y - lastPosition.current.y });
    lastPosition.current = at;
  };
  const end = () => {
    lastPosition.current = null;
    endThread(editor);
    useArranging.setState({ dragging: false });
  };
  const cancel = () => {
    cancelDrag(editor);
    end();
  };
  const drag = usePointerDrag<string, HTMLButtonElement>({ begin, move, end, cancel });
  const onKeyDown = (event: KeyboardEvent) => {
    const by = ARROWS[event.key];
    if (by !== undefined) moveBy(by);
    else if (event.key === "Delete" || event.key === "Backspace") removePoints(editor, [point]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return { lastPosition, handlers: { ...drag, onKeyDown } };
}

export function RoutePoint({ point }: { point: string }) {
  const editor = useEditor();
  const position = useTab((tab) => tab.graph.reroutes[point]?.position);
  const isSelected = useGesture(useWiring, (state) => state.points.includes(point), false);
  const { type, count } = useThrough(point);
  const quiet = useSetting("calotype.quietWires");
  const tab = useTab((each) => each);
  const { lastPosition, handlers } = usePointDrag(point);
  if (position === undefined || isOutOfSight(tab, point, quiet)) return null;
  return (
    <button
      type="button"
      className={
        isSelected ? "route-point nodrag nopan nokey selected" : "route-point nodrag nopan nokey"
      }
      style={{
        transform: `translate(${position.x}px, ${position.y}px) translate(-50%, -50%)`,
        ["--colour" as string]: colourOf(type),
      }}
      aria-label={t("Reroute point of {{count}} wires of {{type}}", { count, type })}
      aria-pressed={isSelected}
      data-point={point}
      title={t("Drag to move; Alt-drag or double-click for a branch; Delete removes")}
      {...handlers}
      onFocus={() => {
        if (lastPosition.current === null) useWiring.setState({ points: [point] });
      }}
      onBlur={() => useWiring.setState({ points: [] })}
      onDoubleClick={(event) => {
        event.stopPropagation();
        offerBranch(editor, point, { x: event.clientX, y: event.clientY });
      }}
    />
  );
}

/** Opens the palette with the nodes that would take a branch from a point. */
function offerBranch(editor: Editor, point: string, screen: Point): void {
  const at = canvas()?.toGraph(screen);
  const pulled = pulledFrom(editor, point);
  if (pulled !== null && at !== undefined) useView.setState({ palette: { screen, at, pulled } });
}

/** Whether none of the wires through a point is drawn: then the point is hidden, too. */
function isOutOfSight(tab: Tab, point: string, quiet: boolean): boolean {
  const through = linksThrough(tab.graph, point);
  return (
    through.length > 0 &&
    through.every((key) => {
      const link = tab.graph.links[key];
      return (
        link === undefined ||
        link.portal !== null ||
        isHidden(tab, key, quiet) ||
        foldedEnds(tab.graph, link).within
      );
    })
  );
}

/** What lies on wires and can be taken hold of: reroute points, and the tags of named wires. */
import { ViewportPortal } from "@xyflow/react";
import { Radio } from "lucide-react";
import { type KeyboardEvent, memo, type PointerEvent, useRef } from "react";
import type { Link, Point } from "../document/graph";
import { portalOf } from "../document/portal";
import { linksThrough, moveReroutes } from "../document/reroute";
import { canvas } from "../state/canvas";
import {
  branchTo,
  endsNow,
  jumpAlong,
  pulledFrom,
  removePoints,
  renameWires,
} from "../state/connecting";
import { foldedEnds } from "../state/folding";
import { colourOf } from "../state/kinds";
import { useRuns } from "../state/runs";
import { useSetting } from "../state/settings";
import { GRID, outputType } from "../state/shape";
import { activeTab, edit, endThread, select, useActive, useStudio } from "../state/studio";
import { useView } from "../state/view";
import { pathOf, STUB, svgPen, traceLink, traceWire, type WireShape } from "../state/wires";
import { isHidden, useWiring } from "../state/wiring";
import { t } from "../words/words";
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

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -GRID, y: 0 },
  ArrowRight: { x: GRID, y: 0 },
  ArrowUp: { x: 0, y: -GRID },
  ArrowDown: { x: 0, y: GRID },
};

/** The type of the wires through a point, and how many they are. */
function useThrough(point: string): { type: string; count: number } {
  const graph = useActive((tab) => tab.graph);
  const catalog = useStudio((state) => state.catalog);
  const through = linksThrough(graph, point);
  const link = graph.links[through[0] ?? ""];
  const source = graph.nodes[link?.from ?? ""];
  const type =
    link === undefined || source === undefined
      ? "*"
      : outputType(source, catalog[source.type], link.fromSlot);
  return { type, count: through.length };
}

function RoutePoint({ point }: { point: string }) {
  const position = useActive((tab) => tab.graph.reroutes[point]?.position);
  const isSelected = useWiring((state) => state.points.includes(point));
  const { type, count } = useThrough(point);
  const quiet = useSetting("calotype.quietWires");
  useActive((tab) => tab.selected);
  const grip = useRef<Point | null>(null);
  if (position === undefined || isOutOfSight(point, quiet)) return null;
  const moveBy = (by: Point, thread: string) => {
    const { points } = useWiring.getState();
    const moved = points.includes(point) ? points : [point];
    const { reroutes } = activeTab().graph;
    const places = moved.flatMap((key) => {
      const at = reroutes[key]?.position;
      return at === undefined ? [] : [[key, { x: at.x + by.x, y: at.y + by.y }] as const];
    });
    edit(
      "Move the reroute point",
      (draft) => moveReroutes(draft, Object.fromEntries(places)),
      thread,
    );
  };
  const down = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    if (event.altKey) {
      useWiring.setState({ branch: { point, to: position } });
      return;
    }
    grip.current = canvas()?.toGraph({ x: event.clientX, y: event.clientY }) ?? null;
    const { points } = useWiring.getState();
    if (event.shiftKey) useWiring.setState({ points: [...points, point] });
    else if (!points.includes(point)) useWiring.setState({ points: [point] });
    select([]);
  };
  const move = (event: PointerEvent) => {
    const at = canvas()?.toGraph({ x: event.clientX, y: event.clientY });
    if (at !== undefined && useWiring.getState().branch !== null) {
      useWiring.setState({ branch: { point, to: at } });
    }
    if (grip.current === null || at === undefined) return;
    moveBy({ x: at.x - grip.current.x, y: at.y - grip.current.y }, `point ${point}`);
    grip.current = at;
  };
  const up = (event: PointerEvent) => {
    grip.current = null;
    endThread();
    if (useWiring.getState().branch === null) return;
    useWiring.setState({ branch: null });
    endBranch(point, { x: event.clientX, y: event.clientY });
  };
  const key = (event: KeyboardEvent) => {
    const by = ARROWS[event.key];
    if (by !== undefined) moveBy(by, `point ${point}`);
    else if (event.key === "Delete" || event.key === "Backspace") removePoints([point]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
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
      title={t("Drag to move; Alt-drag or double-click for a branch; Delete removes")}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onFocus={() => {
        if (grip.current === null) useWiring.setState({ points: [point] });
      }}
      onBlur={() => useWiring.setState({ points: [] })}
      onKeyDown={key}
      onDoubleClick={(event) => {
        event.stopPropagation();
        endBranch(point, { x: event.clientX, y: event.clientY });
      }}
    />
  );
}

/** A wire pulled from a point: onto an input, or into nothing, where the palette offers what fits. */
function endBranch(point: string, screen: Point): void {
  const socket = document
    .elementsFromPoint(screen.x, screen.y)
    .find((each) => each.matches(".react-flow__handle.target"));
  const { nodeid, handleid } = socket instanceof HTMLElement ? socket.dataset : {};
  const at = canvas()?.toGraph(screen);
  const pulled = pulledFrom(point);
  if (nodeid !== undefined && handleid !== undefined) branchTo(point, nodeid, handleid);
  else if (pulled !== null && at !== undefined) {
    useView.setState({ palette: { screen, at, pulled } });
  }
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

/** A point that only wires run through whose lines are not drawn is not drawn, either. */
function isOutOfSight(point: string, quiet: boolean): boolean {
  const tab = activeTab();
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

/** The tags of all named wires: one at each source, one at each target. */
function Tags() {
  const tab = useActive((each) => each);
  const { graph } = tab;
  const catalog = useStudio((state) => state.catalog);
  // What nodes show makes them higher, and so moves their sockets.
  useRuns((state) => state.shown);
  const named = graph.linkOrder.flatMap((key) => graph.links[key] ?? []);
  const sources = new Set<string>();
  return named.flatMap((link) => {
    if (link.portal === null) return [];
    const ends = endsNow(link);
    const source = graph.nodes[link.from];
    if (ends === null || source === undefined) return [];
    const type = outputType(source, catalog[source.type], link.fromSlot);
    const group = JSON.stringify([link.from, link.fromSlot, link.portal]);
    const isFirst = !sources.has(group);
    sources.add(group);
    const made = [
      <Tag key={`${link.key} target`} link={link} end="target" at={ends.target} type={type} />,
    ];
    if (isFirst) {
      made.push(
        <Tag key={`${link.key} source`} link={link} end="source" at={ends.source} type={type} />,
      );
    }
    return made;
  });
}

interface TagProps {
  link: Link;
  end: "source" | "target";
  at: Point;
  type: string;
}

function Tag({ link, end, at, type }: TagProps) {
  const graph = useActive((tab) => tab.graph);
  const siblings = portalOf(graph, link);
  const isAsked = useWiring((state) => end === "source" && siblings.includes(state.naming ?? ""));
  const name = link.portal === "" || link.portal === null ? type.toLowerCase() : link.portal;
  const light = (lit: boolean) => useWiring.setState({ lit: lit ? siblings : [] });
  const x = end === "source" ? at.x + STUB : at.x - STUB;
  const style = {
    transform: `translate(${x}px, ${at.y}px) translate(${end === "source" ? "0" : "-100%"}, -50%)`,
    ["--colour" as string]: colourOf(type),
  };
  if (isAsked) {
    return (
      <input
        className="wire-tag nodrag nopan nokey"
        style={style}
        aria-label={t("Name of the portal")}
        defaultValue={name}
        // biome-ignore lint/a11y/noAutofocus: the name was just asked for
        autoFocus
        onFocus={(event) => event.currentTarget.select()}
        onBlur={(event) => renameWires(link.key, event.currentTarget.value.trim())}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") useWiring.setState({ naming: null });
        }}
      />
    );
  }
  return (
    <button
      type="button"
      className={`wire-tag nodrag nopan nokey ${end}`}
      style={style}
      aria-label={
        end === "source"
          ? t("Portal {{name}}: to {{count}} inputs", { name, count: siblings.length })
          : t("Portal {{name}}: from its source", { name })
      }
      onPointerEnter={() => light(true)}
      onPointerLeave={() => light(false)}
      onFocus={() => light(true)}
      onBlur={() => light(false)}
      onPointerDown={(event) => event.stopPropagation()}
      onClick={(event) => {
        const chosen = end === "source" ? siblings : [link.key];
        const screen = { x: event.clientX, y: event.clientY };
        select([], chosen);
        useWiring.setState({ menu: { link: link.key, screen, at } });
      }}
      onDoubleClick={(event) => {
        event.stopPropagation();
        useWiring.setState({ menu: null });
        jumpAlong(link.key, end);
      }}
    >
      <Radio size={11} aria-hidden />
      {name}
      {end === "source" && siblings.length > 1 && <span className="count">{siblings.length}</span>}
    </button>
  );
}

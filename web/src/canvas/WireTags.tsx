/** The tags of named wires, drawn at their ends instead of a line. */

import { Radio } from "lucide-react";
import type { CSSProperties } from "react";
import type { Link, Point } from "../document/graph";
import { portalOf } from "../document/portal";
import { currentEnds, jumpAlong, renameWires } from "../state/editing/connecting";
import { usePulling } from "../state/editing/pull";
import { STUB } from "../state/editing/wires";
import { useWiring } from "../state/editing/wiring";
import { colourOf } from "../state/nodes/kinds";
import { outputType } from "../state/nodes/shape";
import { useRuns } from "../state/outcomes/runs";
import { canvas } from "../state/session/canvas";
import { useCatalog, useEditor, useGesture, useTab } from "../state/session/editor";
import { select } from "../state/session/studio";
import { t } from "../words/words";

/** The tags of all named wires: one at each source, one at each target. */
export function Tags() {
  const editor = useEditor();
  const tab = useTab((each) => each);
  const { graph } = tab;
  const catalog = useCatalog();
  // What nodes show makes them taller, and so moves their sockets.
  useRuns((state) => state.shown);
  const detached = useGesture(usePulling, (state) => state.pull?.detached?.links, undefined);
  const named = graph.linkOrder.flatMap((key) => graph.links[key] ?? []);
  const sources = new Set<string>();
  return named.flatMap((link) => {
    if (link.portal === null || detached?.includes(link.key)) return [];
    const ends = currentEnds(editor, link);
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
  const editor = useEditor();
  const graph = useTab((tab) => tab.graph);
  const siblings = portalOf(graph, link);
  const isAsked = useGesture(
    useWiring,
    (state) => end === "source" && siblings.includes(state.naming ?? ""),
    false,
  );
  const name = link.portal === "" || link.portal === null ? type.toLowerCase() : link.portal;
  const light = (lit: boolean) => useWiring.setState({ lit: lit ? siblings : [] });
  const x = end === "source" ? at.x + STUB : at.x - STUB;
  const style = {
    transform: `translate(${x}px, ${at.y}px) translate(${end === "source" ? "0" : "-100%"}, -50%)`,
    ["--colour" as string]: colourOf(type),
  };
  if (isAsked) return <TagName link={link} name={name} style={style} />;
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
        select(editor, [], chosen);
        useWiring.setState({ menu: { link: link.key, screen, at } });
      }}
      onDoubleClick={(event) => {
        event.stopPropagation();
        useWiring.setState({ menu: null });
        jumpAlong(editor, link.key, end);
      }}
    >
      <Radio size={11} aria-hidden />
      {name}
      {end === "source" && siblings.length > 1 && <span className="count">{siblings.length}</span>}
    </button>
  );
}

interface TagNameProps {
  link: Link;
  name: string;
  style: CSSProperties;
}

function TagName({ link, name, style }: TagNameProps) {
  const editor = useEditor();
  return (
    <input
      className="wire-tag nodrag nopan nokey"
      style={style}
      aria-label={t("Name of the portal")}
      defaultValue={name}
      // biome-ignore lint/a11y/noAutofocus: the user just chose to edit the name
      autoFocus
      onFocus={(event) => event.currentTarget.select()}
      onBlur={(event) => renameWires(editor, link.key, event.currentTarget.value.trim())}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") event.currentTarget.value = name;
        // When the field closes, the graph gets the keys again.
        if (event.key === "Enter" || event.key === "Escape") canvas()?.focus();
      }}
    />
  );
}

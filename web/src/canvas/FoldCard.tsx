/** A folded frame: one box, with a row for every wire that enters or leaves it. */

import type { NodeProps } from "@xyflow/react";
import { frameState } from "../document/frames";
import { MODE } from "../document/graph";
import { frameColour } from "../state/nodes/colours";
import { type FoldRow, foldingOf } from "../state/nodes/folding";
import { familyOf } from "../state/nodes/kinds";
import { useTab } from "../state/session/editor";
import { t } from "../words/words";
import { type FlowNode, FOLD_PREFIX } from "./flow";
import { FrameTitle, FrameTools, useFrameMove } from "./Groups";
import { useMeasured } from "./measured";
import { SocketDot } from "./SocketDot";

export function FoldCard({ id }: NodeProps<FlowNode>) {
  const key = id.slice(FOLD_PREFIX.length);
  const graph = useTab((tab) => tab.graph);
  const moving = useFrameMove(key);
  useMeasured(id);
  const fold = foldingOf(graph).folds.find((each) => each.group.key === key);
  if (fold === undefined) return null;
  const { group, width, height, count } = fold;
  const { mode } = frameState(group);
  const colour = frameColour(group.color);
  return (
    <section
      className={mode === null ? "card fold nopan" : "card fold nopan off"}
      aria-label={group.title}
      data-frame={key}
      style={
        {
          width,
          height,
          ...(colour === undefined ? {} : { "--frame": colour }),
        } as React.CSSProperties
      }
    >
      <header className="card-title nodrag" {...moving}>
        <FrameTitle group={group} />
        <FrameTools group={group} folded />
      </header>
      {fold.inputs.length + fold.outputs.length === 0 && (
        <p className="fold-count">
          {mode === MODE.muted
            ? t("{{count}} nodes, muted", { count })
            : t("{{count}} nodes", { count })}
        </p>
      )}
      {fold.inputs.map((row) => (
        <Row key={row.id} node={id} row={row} side="target" />
      ))}
      {fold.outputs.map((row) => (
        <Row key={row.id} node={id} row={row} side="source" />
      ))}
    </section>
  );
}

interface RowProps {
  node: string;
  row: FoldRow;
  side: "source" | "target";
}

function Row({ node, row, side }: RowProps) {
  return (
    <>
      <SocketDot
        node={node}
        id={row.id}
        side={side}
        type={row.type}
        className={familyOf(row.type)}
        top={row.y}
        label={`${row.label}, ${row.type}`}
        title={row.type}
      />
      <span className={`socket-label ${side}`} style={{ top: row.y }}>
        {row.label}
      </span>
    </>
  );
}

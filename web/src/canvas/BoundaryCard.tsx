/**
 * The inputs or outputs of a subgraph, seen from inside: one socket for each port, and one that
 * adds a port.
 */

import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { INPUTS } from "../document/graph";
import { familyOf } from "../state/nodes/kinds";
import type { SocketRow } from "../state/nodes/rows";
import { shapeOf } from "../state/nodes/shape";
import { useTab } from "../state/session/editor";
import { t } from "../words/words";
import type { FlowNode } from "./flow";
import { useMeasured } from "./measured";
import { useRoving } from "./roving";
import { SocketDot, useSocketMarks } from "./SocketDot";
import "./subgraphs.css";

export const BoundaryCard = memo(function BoundaryCard({ id, selected }: NodeProps<FlowNode>) {
  const node = useTab((tab) => tab.graph.nodes[id]);
  const roving = useRoving(id);
  const markOf = useSocketMarks(id);
  useMeasured(id);
  if (node === undefined) return null;
  const isInputs = id === INPUTS;
  const side = isInputs ? "source" : "target";
  const shape = shapeOf(node, undefined, false);
  const rows = isInputs ? shape.outputs : shape.inputs;
  const title = isInputs ? t("Inputs") : t("Outputs");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a node is a group of sockets, not a form's fieldset
    <div
      role="group"
      className={selected ? "card boundary selected" : "card boundary"}
      style={{ width: shape.width, height: shape.height }}
      aria-label={title}
      data-node={id}
      {...roving}
    >
      <header className="card-title">
        <span className="name">{title}</span>
      </header>
      {rows.map((row, index) => (
        <Port
          key={row.id}
          node={id}
          row={row}
          isInputs={isInputs}
          isNext={index === rows.length - 1}
          mark={markOf({ id: row.id, side, type: row.type })}
        />
      ))}
    </div>
  );
});

interface PortProps {
  node: string;
  row: SocketRow;
  isInputs: boolean;
  isNext: boolean;
  mark: string;
}

function Port({ node, row, isInputs, isNext, mark }: PortProps) {
  const label = isNext ? t("New port") : row.label;
  const side = isInputs ? "source" : "target";
  return (
    <>
      <SocketDot
        node={node}
        id={row.id}
        side={side}
        type={row.type}
        className={`${familyOf(row.type)}${isNext ? " ring next" : ""} ${mark}`}
        top={row.y}
        label={isNext ? label : `${label}, ${row.type}`}
        title={isNext ? t("Drag a wire here to add a port") : row.type}
      />
      <span className={`socket-label ${side}${isNext ? " optional" : ""}`} style={{ top: row.y }}>
        {label}
      </span>
    </>
  );
}

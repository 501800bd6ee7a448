/** The inputs or outputs of a subgraph, seen from inside: a port each, and one to make another. */
import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { INPUTS } from "../document/graph";
import { colourOf, familyOf } from "../state/nodes/kinds";
import type { SocketRow } from "../state/nodes/rows";
import { shapeOf } from "../state/nodes/shape";
import { useActive } from "../state/studio";
import { t } from "../words/words";
import type { FlowNode } from "./flow";
import { useMeasured } from "./measured";
import { useRoving } from "./roving";
import "./subgraphs.css";

export const BoundaryCard = memo(function BoundaryCard({ id, selected }: NodeProps<FlowNode>) {
  const node = useActive((tab) => tab.graph.nodes[id]);
  const roving = useRoving(id);
  useMeasured(id);
  if (node === undefined) return null;
  const isInputs = id === INPUTS;
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
        <Port key={row.id} row={row} isInputs={isInputs} isNext={index === rows.length - 1} />
      ))}
    </div>
  );
});

function Port({ row, isInputs, isNext }: { row: SocketRow; isInputs: boolean; isNext: boolean }) {
  const label = isNext ? t("New port") : row.label;
  const side = isInputs ? "source" : "target";
  return (
    <>
      <Handle
        role="img"
        id={row.id}
        type={side}
        position={isInputs ? Position.Right : Position.Left}
        className={`socket ${familyOf(row.type)}${isNext ? " ring next" : ""}`}
        style={{ top: row.y, "--colour": colourOf(row.type) } as React.CSSProperties}
        aria-label={isNext ? label : `${label}, ${row.type}`}
        title={isNext ? t("Pull a wire here for another port") : row.type}
      />
      <span className={`socket-label ${side}${isNext ? " optional" : ""}`} style={{ top: row.y }}>
        {label}
      </span>
    </>
  );
}

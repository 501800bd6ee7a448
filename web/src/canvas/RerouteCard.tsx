/** A reroute node: a pill with a socket at each end, and its title where it was given one. */
import { Handle, type NodeProps, Position } from "@xyflow/react";
import { memo } from "react";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { passedType } from "../state/nodes/reroutes";
import { shapeFor, TITLE } from "../state/nodes/shape";
import { useActive } from "../state/studio";
import { t } from "../words/words";
import type { FlowNode } from "./flow";
import { useMeasured } from "./measured";
import { useRoving } from "./roving";

export const RerouteCard = memo(function RerouteCard({ id, selected }: NodeProps<FlowNode>) {
  const node = useActive((tab) => tab.graph.nodes[id]);
  const type = useActive((tab) => passedType(tab.graph, id));
  const roving = useRoving(id);
  useMeasured(id);
  if (node === undefined) return null;
  const { width, height, inputs } = shapeFor(node, undefined, false);
  const style = { "--colour": colourOf(type) } as React.CSSProperties;
  const socket = `socket nokey ${familyOf(type)}`;
  const y = TITLE + (height - TITLE) / 2;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a node is a group of sockets, not a form's fieldset
    <div
      role="group"
      className={selected ? "reroute-card selected" : "reroute-card"}
      style={{ width, height, ...style }}
      aria-label={node.title ?? t("Reroute")}
      data-node={id}
      {...roving}
    >
      <div className="pill card-title" style={{ top: TITLE, height: height - TITLE }}>
        {node.title}
      </div>
      <Handle
        role="img"
        id={inputs[0]?.id ?? ""}
        type="target"
        position={Position.Left}
        className={socket}
        style={{ top: y, ...style }}
        aria-label={t("In, {{type}}", { type })}
      />
      <Handle
        role="img"
        id="0"
        type="source"
        position={Position.Right}
        className={socket}
        style={{ top: y, ...style }}
        aria-label={t("Out, {{type}}", { type })}
      />
    </div>
  );
});

/** A reroute node: a pill with a socket at each end, and its title if it has one. */

import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { passedType } from "../state/nodes/reroutes";
import { shapeFor, TITLE } from "../state/nodes/shape";
import { useTab } from "../state/session/editor";
import { t } from "../words/words";
import type { FlowNode } from "./flow";
import { useMeasured } from "./measured";
import { useRoving } from "./roving";
import { SocketDot, useSocketMarks } from "./SocketDot";

export const RerouteCard = memo(function RerouteCard({ id, selected }: NodeProps<FlowNode>) {
  const node = useTab((tab) => tab.graph.nodes[id]);
  const type = useTab((tab) => passedType(tab.graph, id));
  const roving = useRoving(id);
  const markOf = useSocketMarks(id);
  useMeasured(id);
  if (node === undefined) return null;
  const { width, height, inputs } = shapeFor(node, undefined, false);
  const style = { "--colour": colourOf(type) } as React.CSSProperties;
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
      {(["target", "source"] as const).map((side) => {
        const socket = side === "target" ? (inputs[0]?.id ?? "") : "0";
        return (
          <SocketDot
            key={side}
            node={id}
            id={socket}
            side={side}
            type={type}
            className={`${familyOf(type)} ${markOf({ id: socket, side, type })}`}
            top={y}
            label={side === "target" ? t("In, {{type}}", { type }) : t("Out, {{type}}", { type })}
          />
        );
      })}
    </div>
  );
});

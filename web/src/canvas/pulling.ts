/** While a wire is pulled: what is pulled, and which sockets could take it. */
import { useConnection } from "@xyflow/react";
import { useWiring } from "../state/editing/wiring";
import type { SocketRow } from "../state/nodes/rows";
import { inputType, outputType } from "../state/nodes/shape";
import { feeds, fits } from "../state/nodes/sockets";
import { activeTab, schemaOf } from "../state/studio";

interface PulledSocket {
  type: string;
  side: "source" | "target";
  node: string;
  /** All wires of the socket are on their way to another one of the same side. */
  moving: boolean;
}

/** null while no wire is pulled. */
export function usePulled(): PulledSocket | null {
  const pulled = useConnection((state) =>
    state.inProgress
      ? `${state.fromHandle.type}\n${state.fromNode.id}\n${state.fromHandle.id ?? ""}`
      : null,
  );
  const moving = useWiring((state) => state.moving);
  if (pulled === null) return null;
  const [side = "", key = "", handle = ""] = pulled.split("\n");
  const node = activeTab().graph.nodes[key];
  if (node === undefined) return null;
  const schema = schemaOf(node.type);
  const type =
    side === "source" ? outputType(node, schema, Number(handle)) : inputType(node, schema, handle);
  return { type, side: side === "source" ? "source" : "target", node: key, moving };
}

/** How a socket looks meanwhile: those that would refuse step back, the others light up. */
export function markOf(
  pulled: PulledSocket | null,
  row: Pick<SocketRow, "type">,
  side: "source" | "target",
  node: string,
): "" | "dim" | "fit" {
  if (pulled === null) return "";
  const { graph } = activeTab();
  if (pulled.moving) {
    return pulled.side === side && (fits(row.type, pulled.type) || fits(pulled.type, row.type))
      ? "fit"
      : "dim";
  }
  if (pulled.side === side || pulled.node === node) return "dim";
  const [from, to] = side === "target" ? [pulled.type, row.type] : [row.type, pulled.type];
  const circular =
    side === "target" ? feeds(graph, node, pulled.node) : feeds(graph, pulled.node, node);
  return fits(from, to) && !circular ? "fit" : "dim";
}

/** The shape of a subgraph's boundary nodes: their ports, and an empty one for a new port. */
import { type GraphNode, INPUTS, slotLabel } from "../../document/graph";
import type { Shape, SocketRow } from "./rows";

/** The socket of the outputs' node that makes a new port for a wire connected to it. */
export const NEW_PORT = "+";

interface Measures {
  title: number;
  row: number;
  pad: number;
}

const MIN_WIDTH = 136;

export function boundaryShape(node: GraphNode, { title, row, pad }: Measures): Shape {
  const isInputs = node.key === INPUTS;
  const ports = isInputs ? node.outputs : node.inputs;
  const y = (index: number) => title + pad + index * row + row / 2;
  const rows = ports.map(
    (port, index): SocketRow => ({
      id: isInputs ? String(index) : port.name,
      label: slotLabel(port),
      type: port.type,
      optional: false,
      list: false,
      y: y(index),
      tooltip: null,
    }),
  );
  const next: SocketRow = {
    id: isInputs ? String(ports.length) : NEW_PORT,
    label: "",
    type: "*",
    optional: true,
    list: false,
    y: y(ports.length),
    tooltip: null,
  };
  const sockets = [...rows, next];
  return {
    width: Math.max(node.size.width, MIN_WIDTH),
    height: title + pad * 2 + sockets.length * row,
    inputs: isInputs ? [] : sockets,
    outputs: isInputs ? sockets : [],
    widgets: [],
    shown: null,
  };
}

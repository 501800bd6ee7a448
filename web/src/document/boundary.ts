/**
 * The boundary of a subgraph, in the file and in the document. In the file it is two boxes and two
 * lists of ports; in the document it is two nodes whose slots are the ports. Each port has a
 * permanent id; instances match ports by name (inputs) and by index (outputs).
 */
import { blankNode } from "./blank";
import {
  type Graph,
  type GraphNode,
  INPUTS,
  type InputSlot,
  OUTPUTS,
  type OutputSlot,
} from "./graph";
import { equalJson, isObject, type Json, type JsonObject } from "./json";
import { listOf, textOf, typeOf } from "./values";

/** The types of the two nodes in the document; they are not in files or in the catalog. */
export const BOUNDARY = { inputs: "subgraph inputs", outputs: "subgraph outputs" } as const;

export function readBoundary(definition: JsonObject): GraphNode[] {
  const inputs = listOf(definition.inputs).map(objectOf);
  const outputs = listOf(definition.outputs).map(objectOf);
  const ids = outputs.map((each) => textOf(each.id));
  return [
    {
      ...boxOf(definition.inputNode, INPUTS, BOUNDARY.inputs),
      outputs: inputs.map((saved) => ({ ...nameAndType(saved), links: [], saved })),
    },
    {
      ...boxOf(definition.outputNode, OUTPUTS, BOUNDARY.outputs),
      inputs: outputs.map((saved, index) => {
        const id = ids[index];
        const name = id != null && ids.indexOf(id) === index ? id : `#${index}`;
        return { ...nameAndType(saved), name, link: null, widget: null, saved };
      }),
    },
  ];
}

function objectOf(value: Json): JsonObject {
  return isObject(value) ? value : {};
}

function nameAndType(saved: JsonObject) {
  return { name: textOf(saved.name) ?? "", type: typeOf(saved.type) };
}

function boxOf(value: Json | undefined, key: string, type: string): GraphNode {
  const saved = isObject(value) ? value : { id: Number(key) };
  const [x = 0, y = 0, width = 0, height = 0] = boundsIn(saved);
  return { ...blankNode(Number(key), type, { x, y }, { width, height }), saved };
}

/** The boundary's part of a saved definition, to be laid over the rest. */
export function writeBoundary({ nodes, links, saved }: Graph): JsonObject {
  const written: JsonObject = {};
  const [inputs, outputs] = [nodes[INPUTS], nodes[OUTPUTS]];
  if (inputs !== undefined) {
    if ("inputNode" in saved || hasMoved(inputs)) written.inputNode = writeBox(inputs);
    if (inputs.outputs.length > 0 || "inputs" in saved) {
      written.inputs = inputs.outputs.map((port) => {
        const before = savedLinks(saved, "inputs", port);
        return writePort(port, port.links, before);
      });
    }
  }
  if (outputs !== undefined) {
    if ("outputNode" in saved || hasMoved(outputs)) written.outputNode = writeBox(outputs);
    if (outputs.inputs.length > 0 || "outputs" in saved) {
      written.outputs = outputs.inputs.map((port, index) => {
        const before = savedLinks(saved, "outputs", port);
        const now = Object.values(links).filter((each) => each.to === OUTPUTS);
        const here = now.filter((each) => each.toSlot === index).map((each) => each.key);
        return writePort(port, here, before);
      });
    }
  }
  return written;
}

/** Left, top, width and height of a saved box; defaults where the file has none. */
function boundsIn({ bounding }: JsonObject): number[] {
  const bounds = listOf(bounding).map(Number);
  return bounds.length === 4 ? bounds : [0, 0, 120, 0];
}

function hasMoved(node: GraphNode): boolean {
  return !equalJson(boundingOf(node), boundsIn(node.saved));
}

function boundingOf({ position, size }: GraphNode): number[] {
  return [position.x, position.y, size.width, size.height];
}

function writeBox(node: GraphNode): JsonObject {
  return hasMoved(node) ? { ...node.saved, bounding: boundingOf(node) } : node.saved;
}

/** The links that the port had in the file, by the file's list of links. */
function savedLinks(
  saved: JsonObject,
  side: "inputs" | "outputs",
  port: InputSlot | OutputSlot,
): string[] | null {
  const index = listOf(saved[side]).findIndex(
    (each) =>
      each === port.saved || (isObject(each) && each.id !== undefined && each.id === port.saved.id),
  );
  if (index < 0) return null;
  const [end, slot, key] =
    side === "inputs"
      ? ["origin_id", "origin_slot", INPUTS]
      : ["target_id", "target_slot", OUTPUTS];
  return listOf(saved.links).flatMap((each) =>
    isObject(each) && String(each[end]) === key && Number(each[slot]) === index
      ? [String(each.id)]
      : [],
  );
}

function writePort(
  port: InputSlot | OutputSlot,
  links: readonly string[],
  before: readonly string[] | null,
): JsonObject {
  const same = before !== null && equalJson([...before].sort(), [...links].sort());
  return same ? port.saved : { ...port.saved, linkIds: links.map(Number) };
}

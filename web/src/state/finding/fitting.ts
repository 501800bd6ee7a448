/** The sockets of a class that a pulled wire may connect to, the best first. */
import type { NodeSchema } from "../../api/types";
import { inputsOf } from "../nodes/inputs";
import { closeness } from "../nodes/sockets";
import { isSocket } from "../nodes/widgets";

/** The socket that a wire is pulled from; only nodes with a fitting socket are offered. */
export interface Pulled {
  node: string;
  /** An output's index or an input's name. */
  socket: string;
  side: "output" | "input";
  type: string;
  /** The reroute point at which the new wire branches off. */
  through?: string;
}

/** How well a socket fits: by type first, then by its index; sockets are preferred to fields. */
export function weightOf(near: number, place: number, socket: boolean): number {
  if (near < 0) return 0;
  const kind = near === 2 ? 1 : near === 1 ? 0.75 : 0.3;
  return kind * (place === 0 ? 1 : 0.9) * (socket ? 1 : 0.8);
}

/** The sockets of a class that a pulled wire may connect to, the best first. */
export function socketsFor(schema: NodeSchema, { side, type }: Pulled): string[] {
  const sockets =
    side === "output"
      ? inputsOf(schema)
          .filter((each) => each.section !== "hidden")
          .map((each, index) => ({
            id: each.name,
            weight: weightOf(closeness(type, each.type), index, isSocket(each)),
          }))
      : schema.outputs.map((each, index) => ({
          id: String(index),
          weight: weightOf(closeness(each.type, type), index, true),
        }));
  return sockets
    .filter((each) => each.weight > 0)
    .sort((one, other) => other.weight - one.weight)
    .map((each) => each.id);
}

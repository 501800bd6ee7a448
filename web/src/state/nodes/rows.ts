/** The types of the parts of a node's card, from top to bottom; `shape.ts` computes them. */
import type { InputSchema } from "../../api/types";

export interface SocketRow {
  /** An input's name, or an output's index. */
  id: string;
  label: string;
  type: string;
  optional: boolean;
  list: boolean;
  y: number;
  tooltip: string | null;
}

export interface WidgetRow {
  input: InputSchema;
  /** The widget that sets what happens to this one between runs. */
  control: string | null;
  multiline: boolean;
  y: number;
  height: number;
}

export interface Shape {
  width: number;
  height: number;
  inputs: SocketRow[];
  outputs: SocketRow[];
  widgets: WidgetRow[];
  /** The area of the pictures and texts that the node shows. */
  shown: { y: number; height: number } | null;
}

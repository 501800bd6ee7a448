/** What a node's card is made of, from top to bottom. Types only; `shape.ts` makes them. */
import type { InputSchema } from "../../api/types";

export interface SocketRow {
  /** An input's name, or an output's number. */
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
  /** The widget that says what to do with this one after a run. */
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
  /** Where pictures and texts that the node shows begin. */
  shown: { y: number; height: number } | null;
}

/**
 * A socket. The canvas itself handles pulling from it (`pullPointer.ts`); React Flow uses its
 * classes and attributes only to measure where wires begin and end.
 */

import type { CSSProperties } from "react";
import { markOf, targetSocket, usePulling } from "../state/editing/pull";
import { colourOf } from "../state/nodes/kinds";
import { useEditor, useGesture } from "../state/session/editor";

interface Props {
  /**
   * The node's name in React Flow: the folded frame's box, where the dot stands for a socket
   * inside.
   */
  node: string;
  id: string;
  side: "source" | "target";
  /** Its type, which determines its colour. */
  type: string;
  className: string;
  top?: number;
  label?: string;
  title?: string;
}

const SIDES = { source: "react-flow__handle-right", target: "react-flow__handle-left" };

export function SocketDot({ node, id, side, type, className, top, label, title }: Props) {
  // "nokey": Shift on a socket moves its wires instead of drawing a selection.
  const classes = ["react-flow__handle nodrag nopan nokey socket", side, SIDES[side], className];
  return (
    <div
      {...(label === undefined ? { "aria-hidden": true } : { role: "img", "aria-label": label })}
      className={classes.join(" ")}
      data-nodeid={node}
      data-handleid={id}
      data-handlepos={side === "source" ? "right" : "left"}
      style={{ top, "--colour": colourOf(type) } as CSSProperties}
      title={title}
    />
  );
}

/**
 * The class of a node's socket while a wire is pulled: " fit", " dim", or " aim" for the one that
 * would be joined.
 */
export function useSocketMarks(node: string): (socket: Marked) => string {
  const editor = useEditor();
  const pull = useGesture(usePulling, (state) => state.pull, null);
  const aimed = useGesture(usePulling, (state) => targetSocket(state, node), null);
  return ({ id, side, type }) => {
    if (pull === null) return "";
    const kind = side === "source" ? "output" : "input";
    const mark = markOf(editor, pull, { node, socket: id, side: kind, type });
    return kind === pull.seeks && aimed === id ? `${mark} aim` : mark;
  };
}

interface Marked {
  id: string;
  side: "source" | "target";
  type: string;
}

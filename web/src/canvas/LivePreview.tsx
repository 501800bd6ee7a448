/**
 * The picture of a running node that shows no results: below its card as far as there is room above
 * the next node, else among its sockets. It covers no other node and changes no size.
 */
import type { Box } from "../document/arrange";
import { boxesOf } from "../state/editing/boxes";
import type { Shape } from "../state/nodes/rows";
import { ROW, TITLE } from "../state/nodes/shape";
import { useEditor, useTab } from "../state/session/editor";
import { t } from "../words/words";
import "./livePreview.css";

/** In canvas units: the gap to nodes, the most and least useful heights below and among sockets. */
const GAP = 6;
const TALLEST = 290;
const LOWEST = 90;
const LOWEST_INSIDE = 2 * ROW;

interface Props {
  node: string;
  url: string;
  shape: Shape;
}

export function LivePreview({ node, url, shape }: Props) {
  const editor = useEditor();
  const room = useTab(() => roomBelow(boxesOf(editor), node));
  const picture = <img src={url} alt={t("Preview of the current run")} draggable={false} />;
  if (room >= LOWEST) {
    return (
      <div className="preview below" style={{ top: shape.height + GAP, maxHeight: room }}>
        {picture}
      </div>
    );
  }
  const { top, height } = freeRows(shape);
  if (height < LOWEST_INSIDE) return null;
  return (
    <div className="preview inside" style={{ top, height }}>
      {picture}
    </div>
  );
}

/** The height between a node and the first one below it, at most that of a preview. */
export function roomBelow(boxes: ReadonlyMap<string, Box>, node: string): number {
  const own = boxes.get(node);
  if (own === undefined) return 0;
  const bottom = own.y + own.height;
  let room = TALLEST;
  for (const [key, { x, y, width, height }] of boxes) {
    const isBeside = x >= own.x + own.width || x + width <= own.x;
    if (key === node || isBeside || y + height <= bottom) continue;
    room = Math.min(room, y - bottom - 2 * GAP);
  }
  return Math.max(room, 0);
}

/** The rows of inputs that have no output beside them. */
function freeRows({ inputs, outputs }: Shape): { top: number; height: number } {
  const rows = inputs.length - outputs.length;
  return { top: TITLE + GAP + outputs.length * ROW, height: rows * ROW };
}

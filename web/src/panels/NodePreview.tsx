/** A node as its card would be drawn: title, sockets and fields with their defaults. A picture only. */
import { type CSSProperties, useMemo } from "react";
import type { NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { colourOf, familyOf } from "../state/nodes/kinds";
import type { Shape, SocketRow, WidgetRow } from "../state/nodes/rows";
import { currentValue, shapeOf, showsPictures, WIDTH } from "../state/nodes/shape";
import { newNode } from "../state/nodes/widgets";
import { labelOf } from "../widgets/Field";
import { t } from "../words/words";

const CORNER = { x: 0, y: 0 };

interface Previewed {
  node: GraphNode;
  shape: Shape;
}

/** The size and the rows of a new node of this class. */
function previewOf(schema: NodeSchema): Previewed {
  const node = newNode(schema, 1, CORNER, WIDTH);
  return { node, shape: shapeOf(node, schema, showsPictures(schema)) };
}

export function NodePreview({ schema }: { schema: NodeSchema }) {
  const { node, shape } = useMemo(() => previewOf(schema), [schema]);
  return (
    <div className="node-preview" aria-hidden>
      <div className="card" style={{ width: shape.width, height: shape.height }}>
        <header className="card-title">
          <span className="name">{schema.display_name}</span>
        </header>
        {shape.inputs.map((row) => (
          <Socket key={row.id} row={row} side="target" />
        ))}
        {shape.outputs.map((row) => (
          <Socket key={row.id} row={row} side="source" />
        ))}
        {shape.widgets.map((row) => (
          <Drawn key={row.input.name} node={node} row={row} />
        ))}
        {shape.shown !== null && (
          <div
            className="shown-place"
            style={{ insetBlockStart: shape.shown.y, blockSize: shape.shown.height }}
          >
            {t("Picture")}
          </div>
        )}
      </div>
    </div>
  );
}

function Socket({ row, side }: { row: SocketRow; side: "source" | "target" }) {
  const place = side === "source" ? "react-flow__handle-right" : "react-flow__handle-left";
  const look = [familyOf(row.type), row.optional ? "ring" : "", row.list ? "list" : ""];
  return (
    <>
      <i
        className={["react-flow__handle", "socket", place, side, ...look].filter(Boolean).join(" ")}
        style={{ top: row.y, "--colour": colourOf(row.type) } as CSSProperties}
      />
      <span
        className={`socket-label ${side}${row.optional ? " optional" : ""}`}
        style={{ top: row.y }}
      >
        {row.label}
      </span>
    </>
  );
}

function Drawn({ node, row }: { node: GraphNode; row: WidgetRow }) {
  const { input, multiline, y, height } = row;
  const value = currentValue(node, input);
  const text = typeof value === "object" ? "" : String(value);
  return (
    <div className={multiline ? "widget tall" : "widget"} style={{ top: y, height }}>
      <div className="field">
        <span className="label">{labelOf(input)}</span>
        {!multiline && <span className="value">{text}</span>}
      </div>
    </div>
  );
}

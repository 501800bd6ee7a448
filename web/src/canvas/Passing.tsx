/** Lines inside a bypassed node, from each input to the output that it passes through to. */

import { bypassRoutes } from "../state/nodes/bypass";
import { colourOf } from "../state/nodes/kinds";
import type { Shape } from "../state/nodes/rows";
import { useTab } from "../state/session/editor";
import { t } from "../words/words";
import "./subgraphs.css";

export function Passing({ node: key, shape }: { node: string; shape: Shape }) {
  const graph = useTab((tab) => tab.graph);
  const node = graph.nodes[key];
  if (node === undefined) return null;
  const lines = bypassRoutes(graph, node).flatMap(({ input, output, type }) => {
    const from =
      shape.inputs.find((each) => each.id === input)?.y ??
      shape.widgets.find((each) => each.input.name === input)?.y;
    const to = shape.outputs[output];
    return from === undefined || to === undefined ? [] : [{ input, from, to, type }];
  });
  if (lines.length === 0) return null;
  const label = lines
    .map(({ input, to }) =>
      t("{{input}} passes through to {{output}}", { input, output: to.label }),
    )
    .join(". ");
  const middle = shape.width / 2;
  return (
    <svg
      className="passing"
      width={shape.width}
      height={shape.height}
      role="img"
      aria-label={label}
    >
      {lines.map(({ input, from, to, type }) => (
        <path
          key={`${input} ${to.id}`}
          d={`M0 ${from}C${middle} ${from} ${middle} ${to.y} ${shape.width} ${to.y}`}
          style={{ stroke: colourOf(type) }}
        />
      ))}
    </svg>
  );
}

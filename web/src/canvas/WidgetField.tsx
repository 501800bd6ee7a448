/** A field on a node: its socket, for a wire that brings the value instead, and what is edited. */
import { Handle, Position } from "@xyflow/react";
import type { GraphNode } from "../document/graph";
import { pluginWidgetOf, useExtensions } from "../state/extensions";
import { menuOf } from "../state/fields/fieldActions";
import { useField } from "../state/fields/fields";
import { useContent } from "../state/nodes/content";
import { colourOf } from "../state/nodes/kinds";
import type { WidgetRow } from "../state/nodes/rows";
import { schemaOf } from "../state/studio";
import { Field } from "../widgets/Field";
import { FieldMenu } from "../widgets/FieldMenu";
import { markOf, usePulled } from "./pulling";

interface Props {
  node: string;
  row: WidgetRow;
}

export function WidgetField({ node: id, row }: Props) {
  const node = useContent(id);
  return node === undefined ? null : <Known node={node} row={row} />;
}

function Known({
  node,
  row: { input, multiline, y, height },
}: {
  node: GraphNode;
  row: WidgetRow;
}) {
  const pulled = usePulled();
  const schema = schemaOf(node.type);
  const field = useField(node, schema, input);
  const { linked } = field;
  const PluginWidget = useExtensions((state) => state.Widget);
  const plugin = linked ? null : pluginWidgetOf(input);
  const offered =
    pulled !== null &&
    pulled.side === "source" &&
    markOf(pulled, input, "target", node.key) === "fit";
  const classes = ["socket nokey scalar", linked ? "" : "ring quiet", offered ? "offered" : ""];
  return (
    <div
      className={multiline ? "widget tall nodrag nokey" : "widget nodrag nokey"}
      style={{ top: y, height }}
      title={typeof input.options.tooltip === "string" ? input.options.tooltip : undefined}
      data-input={input.name}
    >
      {input.options.socketless !== true && (
        <Handle
          role="img"
          id={input.name}
          type="target"
          position={Position.Left}
          className={classes.filter(Boolean).join(" ")}
          style={{ "--colour": colourOf(input.type) } as React.CSSProperties}
          aria-label={`${input.name}, ${input.type}`}
        />
      )}
      <FieldMenu items={() => menuOf(node.key, input)}>
        {plugin !== null && PluginWidget !== null ? (
          <PluginWidget {...field} widget={plugin} node={node.type} />
        ) : (
          <Field {...field} />
        )}
      </FieldMenu>
    </div>
  );
}

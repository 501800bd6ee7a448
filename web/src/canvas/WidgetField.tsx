/** A field on a node: the widget, and the socket for a wire that supplies its value instead. */

import type { GraphNode } from "../document/graph";
import { pluginWidgetOf, useExtensions } from "../state/catalog/extensions";
import { menuOf } from "../state/fields/fieldActions";
import { useField } from "../state/fields/fields";
import type { WidgetRow } from "../state/nodes/rows";
import { useContent } from "../state/session/content";
import { useEditor, useSchema } from "../state/session/editor";
import { Field } from "../widgets/Field";
import { FieldMenu } from "../widgets/FieldMenu";
import { SocketDot, useSocketMarks } from "./SocketDot";

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
  const editor = useEditor();
  const markOf = useSocketMarks(node.key);
  const schema = useSchema(node.type);
  const field = useField(node, schema, input);
  const { linked } = field;
  const PluginWidget = useExtensions((state) => state.Widget);
  const plugin = linked ? null : pluginWidgetOf(input);
  const mark = markOf({ id: input.name, side: "target", type: input.type });
  const classes = [
    "scalar",
    linked ? "" : "ring quiet",
    mark.startsWith("fit") ? `offered ${mark}` : "",
  ];
  return (
    <div
      className={multiline ? "widget tall nodrag nokey" : "widget nodrag nokey"}
      style={{ top: y, height }}
      title={typeof input.options.tooltip === "string" ? input.options.tooltip : undefined}
      data-input={input.name}
    >
      {input.options.socketless !== true && (
        <SocketDot
          node={node.key}
          id={input.name}
          side="target"
          type={input.type}
          className={classes.filter(Boolean).join(" ")}
          label={`${input.name}, ${input.type}`}
        />
      )}
      <FieldMenu items={() => menuOf(editor, node.key, input)}>
        {plugin !== null && PluginWidget !== null ? (
          <PluginWidget {...field} widget={plugin} node={node.type} place={`card ${node.key}`} />
        ) : (
          <Field {...field} />
        )}
      </FieldMenu>
    </div>
  );
}

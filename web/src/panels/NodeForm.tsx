/** The fields of the selected node as a form: the important ones first, the rest folded below. */

import { Info, RotateCcw } from "lucide-react";
import { useState } from "react";
import type { InputSchema, NodeSchema } from "../api/types";
import type { GraphNode } from "../document/graph";
import { pluginWidgetOf, useExtensions } from "../state/catalog/extensions";
import { isChanged, menuOf, resetField } from "../state/fields/fieldActions";
import { useField } from "../state/fields/fields";
import { isView } from "../state/nodes/fieldTypes";
import { inputsOf } from "../state/nodes/inputs";
import { isWidget } from "../state/nodes/widgets";
import { useEditor } from "../state/session/editor";
import { Field, labelOf } from "../widgets/Field";
import { FieldMenu } from "../widgets/FieldMenu";
import { t } from "../words/words";
import "./form.css";

export function NodeForm({ node, schema }: { node: GraphNode; schema: NodeSchema | undefined }) {
  if (schema === undefined) return null;
  // A view of a model is changed where the model is shown.
  const fields = inputsOf(schema, node).filter((each) => isWidget(each) && !isView(each));
  const advanced = fields.filter((each) => each.options.advanced === true);
  const optional = fields.filter((each) => each.section === "optional" && !advanced.includes(each));
  const first = fields.filter((each) => !advanced.includes(each) && !optional.includes(each));
  return (
    <div className="form">
      <Lines node={node} schema={schema} fields={first} />
      <Folded title={t("Optional")} node={node} schema={schema} fields={optional} />
      <Folded title={t("Advanced")} node={node} schema={schema} fields={advanced} />
    </div>
  );
}

interface LinesProps {
  node: GraphNode;
  schema: NodeSchema;
  fields: readonly InputSchema[];
}

function Lines({ node, schema, fields }: LinesProps) {
  return fields.map((input) => (
    <Line key={`${node.key}/${input.name}`} node={node} schema={schema} input={input} />
  ));
}

/** A folded section; it starts open if a value in it was changed. */
function Folded({ title, node, schema, fields }: LinesProps & { title: string }) {
  const editor = useEditor();
  if (fields.length === 0) return null;
  const changed = fields.filter((each) => isChanged(editor, node.key, each)).length;
  return (
    <details className="form-more" open={changed > 0 || fields.length <= 2}>
      <summary>
        {title}
        <span className="count">
          {changed > 0 ? t("{{count}} changed", { count: changed }) : fields.length}
        </span>
      </summary>
      <Lines node={node} schema={schema} fields={fields} />
    </details>
  );
}

function Line({
  node,
  schema,
  input,
}: {
  node: GraphNode;
  schema: NodeSchema;
  input: InputSchema;
}) {
  const editor = useEditor();
  const field = useField(node, schema, input);
  const PluginWidget = useExtensions((state) => state.Widget);
  const plugin = field.linked ? null : pluginWidgetOf(input);
  const [explained, setExplained] = useState(false);
  const { tooltip, multiline } = input.options;
  const changed = !field.linked && isChanged(editor, node.key, input);
  const label = labelOf(input);
  return (
    <div className={`form-line${multiline === true ? " tall" : ""}${changed ? " changed" : ""}`}>
      <div className="form-field">
        <FieldMenu items={() => menuOf(editor, node.key, input)}>
          {plugin !== null && PluginWidget !== null ? (
            <PluginWidget {...field} widget={plugin} node={node.type} place={`form ${node.key}`} />
          ) : (
            <Field {...field} />
          )}
        </FieldMenu>
        {typeof tooltip === "string" && (
          <button
            type="button"
            className="form-act"
            aria-expanded={explained}
            aria-label={t("What is {{label}}?", { label })}
            title={tooltip}
            onClick={() => setExplained(!explained)}
          >
            <Info size={12} aria-hidden />
          </button>
        )}
        {changed && (
          <button
            type="button"
            className="form-act reset"
            aria-label={t("Reset {{label}} to its default", { label })}
            title={t("Reset to the default")}
            onClick={() => resetField(editor, node.key, input)}
          >
            <RotateCcw size={12} aria-hidden />
          </button>
        )}
      </div>
      {explained && typeof tooltip === "string" && <p className="form-explanation">{tooltip}</p>}
    </div>
  );
}

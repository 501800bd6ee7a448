/** The value of a node that holds how its model is looked at. */

import type { NodeSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { changeValue } from "../editing/actions";
import { isView } from "../nodes/fieldTypes";
import type { Editor } from "../session/editor";

interface ViewValue {
  value: unknown;
  onView: (value: object) => void;
}

export function viewOf(
  editor: Editor,
  node: GraphNode,
  schema: NodeSchema | undefined,
): ViewValue | undefined {
  const name = schema?.inputs.find(isView)?.name;
  if (name === undefined) return undefined;
  return {
    value: node.values[name],
    onView: (value) => changeValue(editor, node.key, name, value as Json, `${node.key}/${name}`),
  };
}

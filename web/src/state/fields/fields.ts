/** The data that a field needs from the document, for nodes, the inspector and forms. */

import type { InputSchema, NodeSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { promptId } from "../../document/levels";
import { changeValueAt } from "../editing/actions";
import { mediaOf } from "../nodes/fileValue";
import { PRIMITIVE, withTargetOptions } from "../nodes/primitive";
import { currentValue, inputNamed } from "../nodes/shape";
import { controlOf, isSubgraph } from "../nodes/widgets";
import { useCatalog, useEditor, useTab } from "../session/editor";
import { endThread, type Place, promptIdOf } from "../session/studio";
import { maskNode } from "./masking";
import { uploadFieldFile, uploadPlace, useUploads } from "./media";
import { changeInnerControl, controlFor, nextValue } from "./rolling";
import { seedPlace, useSeeds } from "./seeds";
import { pictureOf, sourceWords } from "./sources";

/** Typing into one field is one edit: edits with the same thread are undone together. */
export function threadOf(node: string, input: string): string {
  return `${node}/${input}`;
}

/** The properties of `Field`, for a widget of a node of the open document. */
export function useField(node: GraphNode, schema: NodeSchema | undefined, given: InputSchema) {
  const catalog = useCatalog();
  const graph = useTab((each) => (node.type === PRIMITIVE ? each.graph : null));
  const input =
    graph === null
      ? given
      : withTargetOptions(graph, node, given, (target, name) =>
          inputNamed(target, catalog[target.type], name),
        );
  const tab = useTab((each) => each.id);
  const linked = node.inputs.some((each) => each.name === input.name && each.link !== null);
  const source = useTab((open) =>
    linked ? sourceWords(open.graph, catalog, node, input.name) : undefined,
  );
  const value = currentValue(node, input);
  const level = useTab((each) => each.level);
  // A value may be committed after another document is shown: it belongs to this one.
  const set = (name: string, next: unknown) =>
    changeValueAt({ id: tab, level }, node.key, name, next as Json, threadOf(node.key, name));
  const id = useTab((each) => promptIdOf(each, node.key));
  const control = useControl(node, schema, { input, value, place: { id: tab, level }, set });
  const media = useMedia(uploadPlace(tab, id, input.name), node, input);
  const picture = useTab((open) => {
    const { widgetType, display } = input.options;
    const isDrawn =
      /BOUNDING|POINT|PAINTER/.test(`${input.type} ${widgetType}`) ||
      /boxes|points/.test(String(display));
    return isDrawn ? pictureOf(open, catalog, node) : null;
  });
  return {
    owner: node.key,
    input,
    value,
    linked,
    source: source === "" ? undefined : source,
    picture,
    values: node.values,
    media,
    onChange: (next: unknown) => set(input.name, next),
    onDone: () => endThread({ id: tab }),
    control,
  };
}

interface Controlled {
  input: InputSchema;
  value: unknown;
  place: Place;
  set: (name: string, next: unknown) => void;
}

/** What happens to a seed before a run; for an instance, as set at the inner widget. */
function useControl(
  node: GraphNode,
  schema: NodeSchema | undefined,
  { input, value, place, set }: Controlled,
) {
  const own = schema === undefined ? null : controlOf(schema, input);
  const catalog = useCatalog();
  const inside = useTab(({ workflow }) =>
    isSubgraph(schema) ? controlFor(workflow, catalog, node, input) : null,
  );
  const shown = seedPlace(place.id, promptId(place.level, node.key), input.name);
  const isControlled = own !== null || inside !== null;
  const used = useSeeds((seeds) => (isControlled ? seeds[shown] : undefined));
  if (!isControlled) return undefined;
  return {
    value: own === null ? inside : (node.values[own] ?? "fixed"),
    onChange: (next: string) =>
      own === null ? changeInnerControl(place, node.key, input, next) : set(own, next),
    used: used ?? null,
    onUse: (seed: number | bigint) => set(input.name, seed),
    onRoll: () => {
      const { min, max } = input.options;
      const next = nextValue(value as Json, "randomize", { min, max });
      if (next !== null) set(input.name, next);
    },
  };
}

function useMedia(place: string, node: GraphNode, input: InputSchema) {
  const editor = useEditor();
  const kind = mediaOf(input);
  const upload = useUploads((all) => (kind === null ? undefined : all[place]));
  if (kind === null) return undefined;
  return {
    kind,
    progress: upload?.progress ?? null,
    error: upload?.error ?? null,
    onFile: (file: File) => void uploadFieldFile(editor, node.key, input, file),
    onStop: () => upload?.stop(),
    ...(kind === "image" ? { onMask: () => maskNode(editor, node.key) } : {}),
  };
}

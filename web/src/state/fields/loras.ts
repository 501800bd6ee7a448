/**
 * Completing a LoRA in a prompt. The built-in text encoders do not parse LoRA tags, so a loader
 * node is inserted after the node that supplies both the model and the encoder, for all its
 * targets. Where that is impossible, or the node is a plugin's, the tag is inserted as text.
 */

import type { NodeSchema } from "../../api/types";
import { addNode, setValue } from "../../document/edit";
import { labelOf } from "../../document/editLabel";
import {
  type Graph,
  type GraphNode,
  type InputSlot,
  type Link,
  MODE,
  type Point,
} from "../../document/graph";
import type { Entry } from "../../document/log";
import { insertAfter } from "../../document/rewire";
import { t } from "../../words/words";
import { createNode, fillOutputs } from "../editing/actions";
import { boxOf } from "../editing/boxes";
import { freeBelow } from "../finding/placing";
import { packOf } from "../finding/query";
import { nameIn } from "../nodes/naming";
import { isRerouteNode } from "../nodes/reroutes";
import { bodyAt, outputType } from "../nodes/shape";
import { isSubgraph, layoutOf } from "../nodes/widgets";
import { announce } from "../outcomes/announcements";
import type { Editor } from "../session/editor";
import { edit, endThread, redoEdit, schemaOf, undoEdit, useStudio } from "../session/studio";
import { notify } from "../session/view";
import { threadOf } from "./fields";

/** The field in which a LoRA is named. */
export interface LoraField {
  node: string;
  input: string;
}

const LOADER = "LoraLoader";
const FILE = "lora_name";

/** Where to insert a loader for the encoder of a prompt. */
interface LoaderPosition {
  /** The node to insert it after, and the outputs it takes over. */
  source: string;
  model: number;
  clip: number;
  /** The LoRA files already applied to the encoder. */
  loaded: ReadonlySet<string>;
}

/** Where choosing a file in this field inserts its loader; null where it writes the tag. */
export function loaderPosition(editor: Editor, place: LoraField | null): LoaderPosition | null {
  const { graph } = editor.tab;
  const node = place === null ? undefined : graph.nodes[place.node];
  const isLoadable = node !== undefined && isEncoder(node) && socketsOf(schemaOf(LOADER)) !== null;
  return isLoadable ? positionFor(graph, node) : null;
}

/**
 * Whether a node is a built-in one that makes conditioning from a text with a connected encoder.
 */
function isEncoder({ type }: GraphNode): boolean {
  const schema = schemaOf(type);
  if (schema === undefined || isSubgraph(schema) || packOf(schema) !== "built-in") return false;
  return (
    schema.inputs.some((each) => each.type === "CLIP") &&
    schema.outputs.some((each) => each.type === "CONDITIONING")
  );
}

/**
 * Follows the wires upstream from the encoder, past nodes that only modify it, to the first node
 * that supplies the model too.
 */
function positionFor(graph: Graph, encoder: GraphNode): LoaderPosition | null {
  const loaded = new Set<string>();
  const seen = new Set([encoder.key]);
  let found: Omit<LoaderPosition, "loaded"> | null = null;
  for (let link = encoderLink(graph, encoder); link !== null && !seen.has(link.from); ) {
    seen.add(link.from);
    const node = graph.nodes[link.from];
    if (node === undefined) break;
    if (node.type === LOADER && node.mode === MODE.always) loaded.add(String(node.values[FILE]));
    const [model, ...others] = modelsOf(node);
    if (model !== undefined && others.length === 0) {
      found = { source: node.key, model, clip: link.fromSlot };
    }
    link = encoderLink(graph, node);
  }
  return found === null ? null : { ...found, loaded };
}

/** The only link that supplies a text encoder; null where there is none, or several. */
function encoderLink(graph: Graph, node: GraphNode): Link | null {
  const isEncoderInput = ({ type, link }: InputSlot) =>
    link !== null && (type === "CLIP" || isRerouteNode(node));
  const [input, ...others] = node.inputs.filter(isEncoderInput);
  return others.length > 0 ? null : (graph.links[input?.link ?? ""] ?? null);
}

function modelsOf(node: GraphNode): number[] {
  const schema = schemaOf(node.type);
  const count = Math.max(node.outputs.length, schema?.outputs.length ?? 0);
  return Array.from({ length: count }, (_, slot) => slot).filter(
    (slot) => outputType(node, schema, slot) === "MODEL",
  );
}

/** The loader's sockets by type; null for a loader that lacks one. */
function socketsOf(schema: NodeSchema | undefined) {
  const socketsFor = (type: string) => {
    const input = schema?.inputs.find((each) => each.type === type)?.name;
    const slot = schema?.outputs.findIndex((each) => each.type === type) ?? -1;
    return input === undefined || slot < 0 ? null : { input, slot, type };
  };
  const [model, clip] = [socketsFor("MODEL"), socketsFor("CLIP")];
  if (schema === undefined || model === null || clip === null) return null;
  return { schema, model, clip };
}

/** The display name of a file: without the extension of its format. */
export function nameOfLora(file: string): string {
  return file.replace(/\.(safetensors|sft|ckpt|pt2?|pth|bin|pkl)$/i, "");
}

interface ChoiceEffect {
  undo: () => boolean;
  redo: () => boolean;
}

/**
 * Adds the loader of a file to the graph, with a notice and without moving the view, as the user
 * goes on typing. What is typed next into the field belongs to the same edit, until the field ends
 * it.
 */
export function loadLora(editor: Editor, place: LoraField, file: string): ChoiceEffect | null {
  const { graph } = editor.tab;
  const position = loaderPosition(editor, place);
  const sockets = socketsOf(schemaOf(LOADER));
  const name = nameOfLora(file);
  if (position === null || sockets === null) {
    notify(t("No node here can load the LoRA {{name}}.", { name }));
    return null;
  }
  if (position.loaded.has(file)) {
    announce(t("The LoRA {{name}} is loaded already", { name }));
    return null;
  }
  const { schema } = sockets;
  const corner = freeBeside(editor, graph, position.source);
  let key = "";
  endThread(editor);
  edit(
    editor,
    labelOf("Load the LoRA {{name}}", { name }),
    (draft) => {
      const node = createNode(schema, draft.lastNodeId + 1, bodyAt(corner));
      const source = draft.nodes[position.source];
      if (source === undefined) return;
      key = node.key;
      addNode(draft, node);
      setValue(draft, key, FILE, file, layoutOf(schema));
      fillOutputs(source, Math.max(position.model, position.clip));
      const insertionOf = ({ input, slot, type }: typeof sockets.model, from: number) => ({
        from: { node: position.source, slot: from },
        into: { node: key, name: input, type, isWidget: false },
        out: { node: key, slot },
        type,
      });
      insertAfter(draft, [
        insertionOf(sockets.model, position.model),
        insertionOf(sockets.clip, position.clip),
      ]);
    },
    threadOf(place.node, place.input),
  );
  const node = nameIn(editor.tab.graph, useStudio.getState().catalog, key);
  announce(t("The LoRA {{name}} is loaded by {{node}}", { name, node }));
  return effectOf(editor, place, key);
}

const GAP = 40;

/** A free position to the right of a node or below it, whichever is nearer. */
function freeBeside(editor: Editor, graph: Graph, key: string): Point {
  const node = graph.nodes[key];
  if (node === undefined) return { x: 0, y: 0 };
  const { x, y, width, height } = boxOf(editor, node);
  const right = freeBelow(graph, { x: x + width + GAP, y });
  const below = freeBelow(graph, { x, y: y + height + GAP });
  return right.y <= below.y ? right : below;
}

/** Undoes and redoes the edit that added a node, if only the field's text was changed since. */
function effectOf(editor: Editor, place: LoraField, added: string): ChoiceEffect {
  const level = editor.tab.level.join(":");
  const addsIt = (entry: Entry) =>
    entry.path.join(":") === level && writes(entry).some((path) => ends(path, ["nodes", added]));
  const typesIn = (entry: Entry) =>
    entry.path.join(":") === level &&
    writes(entry).every((path) => ends(path, ["nodes", place.node, "values", place.input]));
  return {
    undo: () => {
      const newest = editor.tab.log.done.toReversed();
      const at = newest.findIndex((entry) => !typesIn(entry));
      const entry = newest[at];
      if (entry === undefined || !addsIt(entry)) return false;
      for (let steps = 0; steps <= at; steps += 1) undoEdit(editor);
      return true;
    },
    redo: () => {
      const next = editor.tab.log.undone.at(-1);
      if (next === undefined || !addsIt(next)) return false;
      redoEdit(editor);
      return true;
    },
  };
}

function writes({ patches }: Entry): (readonly unknown[])[] {
  return patches.flatMap((step) => step.map(({ path }) => (Array.isArray(path) ? path : [path])));
}

function ends(path: readonly unknown[], end: readonly string[]): boolean {
  return end.every((each, index) => path[path.length - end.length + index] === each);
}

/**
 * What a LoRA becomes that is named in a prompt. The built-in text encoders read no tags: there a
 * node that loads it goes behind the one that the model and the encoder come from, for all that
 * these feed. Where that cannot be done, or the node is a plugin's, it is the tag as text.
 */
import type { NodeSchema } from "../../api/types";
import { addNode, setValue } from "../../document/edit";
import {
  type Graph,
  type GraphNode,
  type InputSlot,
  type Link,
  MODE,
  type Point,
} from "../../document/graph";
import type { Entry } from "../../document/log";
import { insertBehind } from "../../document/rewire";
import { t } from "../../words/words";
import { announce } from "../announcements";
import { createNode, fillOutputs } from "../editing/actions";
import { freeBelow } from "../finding/placing";
import { packOf } from "../finding/query";
import { boxOf } from "../nodes/boxes";
import { nameIn } from "../nodes/naming";
import { isRerouteNode } from "../nodes/reroutes";
import { bodyAt, outputType } from "../nodes/shape";
import { isSubgraph, layoutOf } from "../nodes/widgets";
import { activeTab, edit, endThread, redoEdit, schemaOf, undoEdit, useStudio } from "../studio";
import { notify } from "../view";
import { threadOf } from "./fields";

/** The field that a LoRA is named in. */
export interface LoraField {
  node: string;
  input: string;
}

const LOADER = "LoraLoader";
const FILE = "lora_name";

/** Where a loader goes, for the encoder of a prompt. */
interface LoaderPosition {
  /** The node that it goes behind, with the outputs that it takes over. */
  source: string;
  model: number;
  clip: number;
  /** The files that reach the encoder already. */
  loaded: ReadonlySet<string>;
}

/** Where choosing a file in this field puts its loader; null where it writes the tag. */
export function loaderPosition(place: LoraField | null): LoaderPosition | null {
  const { graph } = activeTab();
  const node = place === null ? undefined : graph.nodes[place.node];
  const isLoadable = node !== undefined && isEncoder(node) && sidesOf(schemaOf(LOADER)) !== null;
  return isLoadable ? positionFor(graph, node) : null;
}

/** A built-in node that makes conditioning of a text, as the encoder that is joined to it does. */
function isEncoder({ type }: GraphNode): boolean {
  const schema = schemaOf(type);
  if (schema === undefined || isSubgraph(schema) || packOf(schema) !== "built-in") return false;
  return (
    schema.inputs.some((each) => each.type === "CLIP") &&
    schema.outputs.some((each) => each.type === "CONDITIONING")
  );
}

/** Up the wires of the encoder, past what only changes it, to the first node that has the model too. */
function positionFor(graph: Graph, encoder: GraphNode): LoaderPosition | null {
  const loaded = new Set<string>();
  const seen = new Set([encoder.key]);
  let found: Omit<LoaderPosition, "loaded"> | null = null;
  for (let link = encoderInto(graph, encoder); link !== null && !seen.has(link.from); ) {
    seen.add(link.from);
    const node = graph.nodes[link.from];
    if (node === undefined) break;
    if (node.type === LOADER && node.mode === MODE.always) loaded.add(String(node.values[FILE]));
    const [model, ...others] = modelsOf(node);
    if (model !== undefined && others.length === 0) {
      found = { source: node.key, model, clip: link.fromSlot };
    }
    link = encoderInto(graph, node);
  }
  return found === null ? null : { ...found, loaded };
}

/** The one wire that brings a text encoder; null where none does, or several. */
function encoderInto(graph: Graph, node: GraphNode): Link | null {
  const brings = ({ type, link }: InputSlot) =>
    link !== null && (type === "CLIP" || isRerouteNode(node));
  const [input, ...others] = node.inputs.filter(brings);
  return others.length > 0 ? null : (graph.links[input?.link ?? ""] ?? null);
}

function modelsOf(node: GraphNode): number[] {
  const schema = schemaOf(node.type);
  const count = Math.max(node.outputs.length, schema?.outputs.length ?? 0);
  return Array.from({ length: count }, (_, slot) => slot).filter(
    (slot) => outputType(node, schema, slot) === "MODEL",
  );
}

/** The sockets of the loader, by their types; null for a loader that lacks one. */
function sidesOf(schema: NodeSchema | undefined) {
  const side = (type: string) => {
    const input = schema?.inputs.find((each) => each.type === type)?.name;
    const slot = schema?.outputs.findIndex((each) => each.type === type) ?? -1;
    return input === undefined || slot < 0 ? null : { input, slot, type };
  };
  const [model, clip] = [side("MODEL"), side("CLIP")];
  if (schema === undefined || model === null || clip === null) return null;
  return { schema, model, clip };
}

/** What is shown of a file: its name without what says its format. */
export function nameOfLora(file: string): string {
  return file.replace(/\.(safetensors|sft|ckpt|pt2?|pth|bin|pkl)$/i, "");
}

interface ChoiceEffect {
  undo: () => boolean;
  redo: () => boolean;
}

/**
 * Puts the loader of a file into the graph, which is said and not shown: the user goes on typing.
 * What is typed next into the field belongs to the same edit, until the field says it is done.
 */
export function loadLora(place: LoraField, file: string): ChoiceEffect | null {
  const { graph } = activeTab();
  const way = loaderPosition(place);
  const sides = sidesOf(schemaOf(LOADER));
  const name = nameOfLora(file);
  if (way === null || sides === null) {
    notify(t("Nothing here can load the LoRA {{name}}.", { name }));
    return null;
  }
  if (way.loaded.has(file)) {
    announce(t("The LoRA {{name}} is loaded already", { name }));
    return null;
  }
  const { schema } = sides;
  const corner = besideOf(graph, way.source);
  let key = "";
  endThread();
  edit(
    t("Load the LoRA {{name}}", { name }),
    (draft) => {
      const node = createNode(schema, draft.lastNodeId + 1, bodyAt(corner));
      const source = draft.nodes[way.source];
      if (source === undefined) return;
      key = node.key;
      addNode(draft, node);
      setValue(draft, key, FILE, file, layoutOf(schema));
      fillOutputs(source, Math.max(way.model, way.clip));
      const handed = ({ input, slot, type }: typeof sides.model, from: number) => ({
        from: { node: way.source, slot: from },
        into: { node: key, name: input, type, isWidget: false },
        out: { node: key, slot },
        type,
      });
      insertBehind(draft, [handed(sides.model, way.model), handed(sides.clip, way.clip)]);
    },
    threadOf(place.node, place.input),
  );
  const node = nameIn(activeTab().graph, useStudio.getState().catalog, key);
  announce(t("The LoRA {{name}} is loaded by {{node}}", { name, node }));
  return effectOf(place, key);
}

const GAP = 40;

/** To the right of a node or below it, wherever room is nearer. */
function besideOf(graph: Graph, key: string): Point {
  const node = graph.nodes[key];
  if (node === undefined) return { x: 0, y: 0 };
  const { x, y, width, height } = boxOf(node);
  const right = freeBelow(graph, { x: x + width + GAP, y });
  const below = freeBelow(graph, { x, y: y + height + GAP });
  return right.y <= below.y ? right : below;
}

/** Undoes and redoes the edit that added a node, if only the field's text was changed since. */
function effectOf(place: LoraField, added: string): ChoiceEffect {
  const level = activeTab().level.join(":");
  const addsIt = (entry: Entry) =>
    entry.path.join(":") === level && writes(entry).some((path) => ends(path, ["nodes", added]));
  const typesIn = (entry: Entry) =>
    entry.path.join(":") === level &&
    writes(entry).every((path) => ends(path, ["nodes", place.node, "values", place.input]));
  return {
    undo: () => {
      const newest = activeTab().log.done.toReversed();
      const at = newest.findIndex((entry) => !typesIn(entry));
      const entry = newest[at];
      if (entry === undefined || !addsIt(entry)) return false;
      for (let steps = 0; steps <= at; steps += 1) undoEdit();
      return true;
    },
    redo: () => {
      const next = activeTab().log.undone.at(-1);
      if (next === undefined || !addsIt(next)) return false;
      redoEdit();
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

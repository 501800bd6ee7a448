/**
 * A run up to some nodes: an output node runs as it is; for any other node, a temporary node is
 * added for this run that shows its result on the node itself.
 */
import { isObject, type Json } from "../../document/json";
import { t } from "../../words/words";
import { viewerOf } from "../outcomes/runs";
import { schemaOf } from "../session/studio";

interface Part {
  prompt: Record<string, unknown>;
  outputs: string[];
}

/** The class that shows a value, by type; other types are shown as text. */
const SHOWS: readonly { type: string; node: string; input: string }[] = [
  { type: "IMAGE", node: "PreviewImage", input: "images" },
  { type: "MASK", node: "MaskPreview", input: "mask" },
];
const SHOWS_ANY = { node: "PreviewAny", input: "source" };

/** A prompt that runs these nodes and what they need. Throws where one of them cannot run. */
export function partOf(prompt: Record<string, unknown>, targets: readonly string[]): Part {
  const part: Part = { prompt: { ...prompt }, outputs: [] };
  for (const key of targets) {
    const within = Object.keys(prompt).filter((id) => id === key || id.startsWith(`${key}:`));
    const ends = within.filter((id) => schemaOf(classOf(prompt[id]))?.is_output === true);
    if (ends.length > 0) {
      part.outputs.push(...ends);
      continue;
    }
    const shown = key in prompt ? viewer(key, classOf(prompt[key])) : null;
    if (shown === null) throw new Error(t("This node has no output that can be shown."));
    part.prompt[shown.id] = shown.node;
    part.outputs.push(shown.id);
  }
  return part;
}

function classOf(node: unknown): string {
  return isObject(node as Json) ? String((node as { class_type?: unknown }).class_type) : "";
}

/** The id is chosen such that progress and results appear on the node it shows. */
function viewer(key: string, type: string): { id: string; node: unknown } | null {
  const outputs = schemaOf(type)?.outputs ?? [];
  if (outputs.length === 0) return null;
  for (const { type: shown, node, input } of SHOWS) {
    const slot = outputs.findIndex((each) => each.type === shown);
    if (slot >= 0) return { id: viewerOf(key), node: promptNode(node, input, key, slot) };
  }
  return { id: viewerOf(key), node: promptNode(SHOWS_ANY.node, SHOWS_ANY.input, key, 0) };
}

function promptNode(type: string, input: string, key: string, slot: number) {
  return { class_type: type, inputs: { [input]: [key, slot] } };
}

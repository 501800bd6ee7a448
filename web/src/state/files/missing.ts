/**
 * What a workflow needs and this server lacks: classes of nodes, and files by their exact names.
 * Only reports; nothing is substituted.
 */
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import { type GraphNode, subgraphOf, type Workflow } from "../../document/graph";
import { isObject, type Json, type JsonObject } from "../../document/json";
import { allNodes } from "../../document/levels";
import { t } from "../../words/words";
import { fallbackValue, isSubgraph } from "../nodes/widgets";
import { useStudio } from "../studio";
import { notify, openSheet, useView } from "../view";

interface MissingClass {
  type: string;
  /** The plugin that has the class, where the file states it. */
  pack: string | null;
  nodes: readonly string[];
}

interface MissingFile {
  name: string;
  /** The folder below `models/`, where it is known. */
  folder: string | null;
  /** The URL that the workflow's author downloaded it from. */
  source: string | null;
  nodes: readonly string[];
}

export interface Missing {
  classes: readonly MissingClass[];
  files: readonly MissingFile[];
}

/** Classes that exist only in editors. */
const VIRTUAL: ReadonlySet<string> = new Set(["Note", "MarkdownNote", "PrimitiveNode", "Reroute"]);
const MODEL_FILE = /\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx)$/i;
const ANY_FILE =
  /\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx|png|jpe?g|webp|mp4|webm|mp3|wav|flac|latent)$/i;
const FOLDERS: Readonly<Record<string, string>> = {
  ckpt_name: "checkpoints",
  vae_name: "vae",
  lora_name: "loras",
  unet_name: "diffusion_models",
  clip_name: "text_encoders",
  clip_name1: "text_encoders",
  clip_name2: "text_encoders",
  clip_name3: "text_encoders",
  clip_name4: "text_encoders",
  control_net_name: "controlnet",
  style_model_name: "style_models",
  gligen_name: "gligen",
  hypernetwork_name: "hypernetworks",
  ip_adapter_name: "ipadapter",
  "CLIPVisionLoader.clip_name": "clip_vision",
  "UpscaleModelLoader.model_name": "upscale_models",
};

/**
 * For the whole document; nodes are given by their ids in prompts, `12:5` for one inside a
 * subgraph.
 */
export function missingFrom(workflow: Workflow, catalog: Catalog): Missing {
  const classes = new Map<string, { pack: string | null; nodes: string[] }>();
  const files = new Map<
    string,
    { folder: string | null; source: string | null; nodes: string[] }
  >();
  for (const { id, node } of allNodes(workflow)) {
    const { type } = node;
    const isKnown =
      type in catalog || VIRTUAL.has(type) || subgraphOf(workflow.definitions, type) !== undefined;
    if (!isKnown) {
      const found = classes.get(node.type) ?? { pack: packOf(node), nodes: [] };
      found.nodes.push(id);
      classes.set(node.type, found);
    }
    for (const { name, input } of absentFiles(node, catalog)) {
      const declaredFile = declared(node).find((each) => each.name === name);
      const found = files.get(name) ?? {
        folder: declaredFile?.folder ?? FOLDERS[`${node.type}.${input}`] ?? FOLDERS[input] ?? null,
        source: declaredFile?.source ?? null,
        nodes: [],
      };
      found.nodes.push(id);
      files.set(name, found);
    }
  }
  return {
    classes: [...classes].map(([type, each]) => ({ type, ...each })),
    files: [...files].map(([name, each]) => ({ name, ...each })),
  };
}

/** The files that a node names and that are in none of the server's lists. */
function absentFiles(node: GraphNode, catalog: Catalog): { name: string; input: string }[] {
  const schema = catalog[node.type];
  if (node.mode !== 0) return [];
  return Object.entries(valuesOf(node, schema)).flatMap(([input, value]) => {
    if (typeof value !== "string") return [];
    if (schema === undefined) return MODEL_FILE.test(value) ? [{ name: value, input }] : [];
    const described = schema.inputs.find((each) => each.name === input);
    const isLinked = node.inputs.some((each) => each.name === input && each.link !== null);
    if (isLinked || described?.choices == null || !ANY_FILE.test(value)) return [];
    return described.choices.includes(value) ? [] : [{ name: value, input }];
  });
}

/** Where an instance holds no value of its own, the inner widget's applies. */
function valuesOf(node: GraphNode, schema: NodeSchema | undefined): JsonObject {
  if (schema === undefined || !isSubgraph(schema)) return node.values;
  return Object.fromEntries(
    schema.inputs.map((each) => [each.name, node.values[each.name] ?? fallbackValue(each)]),
  );
}

/** The models that the file itself declares for a node. */
function declared(
  node: GraphNode,
): { name: string; folder: string | null; source: string | null }[] {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  const models: readonly Json[] = Array.isArray(properties.models) ? properties.models : [];
  return models.flatMap((each) => {
    if (!isObject(each) || typeof each.name !== "string") return [];
    const folder = typeof each.directory === "string" ? each.directory : null;
    const isAddress = typeof each.url === "string" && /^https?:\/\//.test(each.url);
    return [{ name: each.name, folder, source: isAddress ? String(each.url) : null }];
  });
}

function packOf(node: GraphNode): string | null {
  const properties = isObject(node.saved.properties) ? node.saved.properties : {};
  const named = properties.cnr_id ?? properties.aux_id;
  return typeof named === "string" ? named : null;
}

export function sentenceOf({ classes, files }: Missing): string | null {
  if (classes.length > 0 && files.length > 0) {
    return t(
      "This workflow uses nodes and files that are not on this server. They are kept in the workflow.",
    );
  }
  if (classes.length > 0)
    return t("This workflow has nodes that are not installed here. They are kept.");
  if (files.length > 0) return t("This workflow uses files that are not on this server.");
  return null;
}

/** Reports what is missing whenever a workflow is opened. Returns a function that ends it. */
export function watchMissing(): () => void {
  let seen = new Set(useStudio.getState().tabs.map((each) => each.id));
  let shown: { tab: string; sentence: string } | null = null;
  return useStudio.subscribe(({ tabs, active, catalog }) => {
    // The notice is about one document, so it is removed when another one is shown.
    if (shown !== null && shown.tab !== active) {
      if (useView.getState().notice?.text === shown.sentence) useView.setState({ notice: null });
      shown = null;
    }
    const opened = tabs.filter((each) => !seen.has(each.id));
    if (opened.length === 0 && tabs.length === seen.size) return;
    seen = new Set(tabs.map((each) => each.id));
    for (const { id, workflow } of opened) {
      const sentence = sentenceOf(missingFrom(workflow, catalog));
      if (sentence === null) continue;
      shown = { tab: id, sentence };
      notify(sentence, { label: t("Show what is missing"), run: () => openSheet("missing") });
    }
  });
}

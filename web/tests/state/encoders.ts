/** Small graphs of text encoders, and their classes. */
import { readCatalog } from "../../src/api/catalog";
import type { Json } from "../../src/document/json";

export const FILES = [
  "style/ink.safetensors",
  "Ink Wash.safetensors",
  "thinker.pt",
  "boat.safetensors",
];

const text = ["STRING", { multiline: true }];
const encoder = { input: { required: { text, clip: ["CLIP"] } }, output: ["CONDITIONING"] };
export const CATALOG = readCatalog({
  Checkpoint: { input: { required: {} }, output: ["MODEL", "CLIP", "VAE"] },
  CLIPLoader: { input: { required: {} }, output: ["CLIP"] },
  CLIPSetLastLayer: { input: { required: { clip: ["CLIP"] } }, output: ["CLIP"] },
  Merge: { input: { required: { clip1: ["CLIP"], clip2: ["CLIP"] } }, output: ["CLIP"] },
  Encode: { ...encoder, python_module: "nodes" },
  PluginEncode: { ...encoder, python_module: "custom_nodes.pack" },
  Sampler: {
    input: { required: { model: ["MODEL"], positive: ["CONDITIONING"] } },
    output: ["LATENT"],
  },
  LoraLoader: {
    input: {
      required: {
        model: ["MODEL"],
        clip: ["CLIP"],
        lora_name: [FILES],
        strength_model: ["FLOAT", { default: 1 }],
        strength_clip: ["FLOAT", { default: 1 }],
      },
    },
    output: ["MODEL", "CLIP"],
    python_module: "nodes",
  },
});
export const WITHOUT = Object.fromEntries(
  Object.entries(CATALOG).filter(([type]) => type !== "LoraLoader"),
);

export interface Made {
  id: number;
  type: string;
  /** For each input: name, type, source node, and output of that node. */
  takes?: [string, string, number, number][];
  gives?: string[];
  values?: Json[];
}

/** The nodes in a row, with these connections. */
export function graphOf(nodes: readonly Made[]) {
  const links: [number, number, number, number, number, string][] = [];
  for (const { id, takes = [] } of nodes) {
    takes.forEach(([, type, from, slot], index) => {
      links.push([links.length + 1, from, slot, id, index, type]);
    });
  }
  const from = (id: number, slot: number) =>
    links.filter((each) => each[1] === id && each[2] === slot).map(([link]) => link);
  return {
    nodes: nodes.map(({ id, type, takes = [], gives = [], values = [] }, index) => ({
      id,
      type,
      pos: [index * 280, 0],
      size: [240, 140],
      inputs: takes.map(([name, kind], slot) => ({
        name,
        type: kind,
        link: links.find((each) => each[3] === id && each[4] === slot)?.[0] ?? null,
      })),
      outputs: gives.map((kind, slot) => ({ name: kind, type: kind, links: from(id, slot) })),
      widgets_values: values,
    })),
    links,
    version: 0.4,
  };
}

export const LOADED = { type: "LoraLoader", gives: ["MODEL", "CLIP"] };

/** A checkpoint 1 for the encoders 2 and 3 and the sampler 4, like a simple workflow. */
export const PLAIN: readonly Made[] = [
  { id: 1, type: "Checkpoint", gives: ["MODEL", "CLIP", "VAE"] },
  prompt(2, "Encode", 1, 1),
  prompt(3, "Encode", 1, 1),
  sampler(4, 1, 0, 2),
];

export function prompt(id: number, type: string, from: number, slot: number): Made {
  const gives = ["CONDITIONING"];
  return { id, type, takes: [["clip", "CLIP", from, slot]], gives, values: [`a boat, in`] };
}

export function sampler(id: number, from: number, slot: number, positive: number): Made {
  return {
    id,
    type: "Sampler",
    takes: [
      ["model", "MODEL", from, slot],
      ["positive", "CONDITIONING", positive, 0],
    ],
    gives: ["LATENT"],
  };
}

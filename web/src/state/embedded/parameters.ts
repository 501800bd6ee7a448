/**
 * Parses the text that A1111 and Forge write into pictures, and builds the equivalent graph. Only
 * text to image is built; whatever else the text specifies is listed, not guessed.
 */
import type { JsonObject } from "../../document/json";

interface Parameters {
  positive: string;
  negative: string;
  settings: ReadonlyMap<string, string>;
}

/** The classes and choices that the server has. */
export interface ServerChoices {
  has: (type: string) => boolean;
  choices: (type: string, input: string) => readonly string[];
  embeddings: readonly string[];
}

export interface BuiltPrompt {
  prompt: JsonObject;
  /** What the text specifies and the graph lacks. */
  left: readonly string[];
}

const NEGATIVE = "Negative prompt:";
const MIN_SETTINGS = 3;

/** Null for a text in another format. */
export function readParameters(text: string): Parameters | null {
  const lines = text.trim().split(/\r?\n/);
  const settings = settingsIn(lines.at(-1) ?? "");
  if (settings.size < MIN_SETTINGS) return null;
  const words = lines.slice(0, -1);
  const at = words.findIndex((line) => line.startsWith(NEGATIVE));
  const positive = at < 0 ? words : words.slice(0, at);
  const negative = at < 0 ? [] : words.slice(at);
  return {
    positive: positive.join("\n").trim(),
    negative: negative.join("\n").slice(NEGATIVE.length).trim(),
    settings,
  };
}

/** Parses `Key: value` pairs separated by commas; a quoted value may contain commas. */
function settingsIn(line: string): Map<string, string> {
  const settings = new Map<string, string>();
  let at = 0;
  while (at < line.length) {
    const colon = line.indexOf(":", at);
    if (colon < 0) break;
    const key = line.slice(at, colon).trim();
    const from = colon + 1 + (line[colon + 1] === " " ? 1 : 0);
    const quoted = line[from] === '"' ? endOfQuote(line, from) : -1;
    const comma = line.indexOf(",", quoted < 0 ? from : quoted);
    const end = comma < 0 ? line.length : comma;
    const value = line.slice(from, end).trim();
    if (/^[A-Za-z][\w .+/-]*$/.test(key)) settings.set(key, quoted < 0 ? value : unquoted(value));
    at = end + 1;
  }
  return settings;
}

function endOfQuote(line: string, from: number): number {
  for (let at = from + 1; at < line.length; at += 1) {
    if (line[at] === "\\") at += 1;
    else if (line[at] === '"') return at + 1;
  }
  return -1;
}

function unquoted(value: string): string {
  return value
    .slice(1, -1)
    .replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
}

/** The graph in API form. */
export function promptOf(
  { positive, negative, settings }: Parameters,
  known: ServerChoices,
): BuiltPrompt {
  const left = leftOut(settings, positive);
  const requested = settings.get("Model");
  const prompt: JsonObject = {
    checkpoint: promptNode("CheckpointLoaderSimple", {
      ckpt_name: fileNamed(known.choices("CheckpointLoaderSimple", "ckpt_name"), requested),
    }),
  };
  let model: [string, number] = ["checkpoint", 0];
  let clip: [string, number] = ["checkpoint", 1];
  const { text, loras } = withoutLoras(positive);
  if (loras.length > 0 && !known.has("LoraLoader")) left.push("LoRA");
  else {
    loras.forEach(({ name, model: strength, clip: clipStrength }, index) => {
      prompt[`lora${index}`] = promptNode("LoraLoader", {
        lora_name: fileNamed(known.choices("LoraLoader", "lora_name"), name),
        strength_model: strength,
        strength_clip: clipStrength,
        model,
        clip,
      });
      model = [`lora${index}`, 0];
      clip = [`lora${index}`, 1];
    });
  }
  const skip = number(settings.get("Clip skip"), 1);
  if (skip > 1 && known.has("CLIPSetLastLayer")) {
    prompt.skip = promptNode("CLIPSetLastLayer", { stop_at_clip_layer: -skip, clip });
    clip = ["skip", 0];
  } else if (skip > 1) left.push("Clip skip");
  let vae: [string, number] = ["checkpoint", 2];
  const vaeFile = fileFound(known.choices("VAELoader", "vae_name"), settings.get("VAE"));
  if (vaeFile !== undefined) {
    prompt.vae = promptNode("VAELoader", { vae_name: vaeFile });
    vae = ["vae", 0];
  } else if (settings.has("VAE")) left.push("VAE");
  const words = (each: string) => ourWords(each, known.embeddings);
  prompt.positive = promptNode("CLIPTextEncode", { text: words(text), clip });
  prompt.negative = promptNode("CLIPTextEncode", {
    text: words(withoutLoras(negative).text),
    clip,
  });
  prompt.latent = promptNode("EmptyLatentImage", { ...sizeOf(settings), batch_size: 1 });
  prompt.sampler = promptNode("KSampler", {
    ...sampling(settings, known, left),
    model,
    ...CONDITIONS,
  });
  prompt.decode = promptNode("VAEDecode", { samples: ["sampler", 0], vae });
  prompt.save = promptNode("SaveImage", { filename_prefix: "Calotype", images: ["decode", 0] });
  return { prompt, left };
}

const CONDITIONS = {
  positive: ["positive", 0],
  negative: ["negative", 0],
  latent_image: ["latent", 0],
} as const satisfies Record<string, readonly [string, number]>;

function promptNode(type: string, inputs: Record<string, unknown>): JsonObject {
  return { class_type: type, inputs: inputs as JsonObject };
}

function sampling(
  settings: Parameters["settings"],
  known: ServerChoices,
  left: string[],
): JsonObject {
  const given = settings.get("Sampler") ?? "Euler";
  const glued = / (Karras|Exponential)$/i.exec(given);
  const named = glued === null ? given : given.slice(0, glued.index);
  const samplers = known.choices("KSampler", "sampler_name");
  const schedulers = known.choices("KSampler", "scheduler");
  const sampler = samplerNamed(named);
  const scheduler = schedulerNamed(settings.get("Schedule type") ?? glued?.[1], sampler);
  if (!samplers.includes(sampler)) left.push(`Sampler: ${given}`);
  if (!schedulers.includes(scheduler)) left.push(`Schedule type: ${scheduler}`);
  return {
    seed: seedOf(settings.get("Seed")),
    steps: Math.max(1, Math.round(number(settings.get("Steps"), 20))),
    cfg: number(settings.get("CFG scale"), 7),
    sampler_name: samplers.includes(sampler) ? sampler : "euler",
    scheduler: schedulers.includes(scheduler) ? scheduler : "normal",
    denoise: 1,
  };
}

/** Converts a name such as `DPM++ 2S a` to `dpmpp_2s_ancestral`. */
function samplerNamed(name: string): string {
  const plain = name.trim().toLowerCase().replaceAll("++", "pp").replace(/ a$/, " ancestral");
  return plain
    .replace(/^dpm2/, "dpm 2")
    .replace(/^unipc/, "uni_pc")
    .replace(/^k_/, "")
    .replaceAll(" ", "_");
}

const AUTOMATIC: Readonly<Record<string, string>> = {
  dpmpp_2m: "karras",
  dpmpp_sde: "karras",
  dpmpp_2s_ancestral: "karras",
  dpm_2: "karras",
  dpm_2_ancestral: "karras",
  dpmpp_2m_sde: "exponential",
  dpmpp_3m_sde: "exponential",
};
const SCHEDULERS: Readonly<Record<string, string>> = { ddim: "ddim_uniform", uniform: "normal" };

function schedulerNamed(name: string | undefined, sampler: string): string {
  if (name === undefined) return "normal";
  const plain = name.trim().toLowerCase().replaceAll(" ", "_");
  if (plain === "automatic") return AUTOMATIC[sampler] ?? "normal";
  return SCHEDULERS[plain] ?? plain;
}

function sizeOf(settings: Parameters["settings"]): JsonObject {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(settings.get("Size") ?? "") ?? [];
  const side = (text: string | undefined) =>
    Math.min(16384, Math.max(16, Math.ceil(number(text, 512) / 8) * 8));
  return { width: side(width), height: side(height) };
}

function number(text: string | undefined, standard: number): number {
  const value = Number.parseFloat(text ?? "");
  return Number.isFinite(value) ? value : standard;
}

function seedOf(text: string | undefined): number | bigint {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return 0;
  const seed = BigInt.asUintN(64, BigInt(text));
  return seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : seed;
}

interface Lora {
  name: string;
  model: number;
  clip: number;
}

function withoutLoras(words: string): { text: string; loras: readonly Lora[] } {
  const loras: Lora[] = [];
  const text = words.replace(/<lora:([^<>]*)>/g, (_, inside: string) => {
    const [name = "", model, clip] = inside.split(":");
    const strength = number(model, 1);
    loras.push({ name: name.trim(), model: strength, clip: number(clip, strength) });
    return "";
  });
  return { text: text.replace(/,\s*$/, "").trim(), loras };
}

/** Converts embeddings to our syntax, and a word in brackets to one of lower weight. */
function ourWords(text: string, embeddings: readonly string[]): string {
  const known = new Map(embeddings.map((each) => [each.toLowerCase(), each]));
  return text.replace(/\[([^[\]:|]*)\]/g, "($1:0.91)").replace(/[\w-]+/g, (word, at: number) => {
    const found = known.get(word.toLowerCase());
    return found === undefined || text[at - 1] === ":" ? word : `embedding:${found}`;
  });
}

/** The file of a name that has no folders and no extension. */
function fileFound(files: readonly string[], name: string | undefined): string | undefined {
  if (name === undefined || name === "" || /^(none|automatic)$/i.test(name)) return undefined;
  const bare = (path: string) =>
    (path.split(/[\\/]/).at(-1) ?? path).replace(ENDING, "").toLowerCase();
  const requested = bare(name);
  return files.find((each) => bare(each) === requested);
}

const ENDING = /\.(safetensors|ckpt|pt|pth|sft)$/i;

/** A file that is not found keeps its name, so that it is reported as missing. */
function fileNamed(files: readonly string[], name: string | undefined): string {
  if (name === undefined || name === "") return files[0] ?? "";
  return fileFound(files, name) ?? (ENDING.test(name) ? name : `${name}.safetensors`);
}

const BEYOND: readonly [RegExp, string][] = [
  [/^Hires /, "Hires fix"],
  [/^(Mask blur|Inpaint|Masked content)/, "Inpainting"],
  [/^ControlNet/, "ControlNet"],
  [/^ADetailer/, "ADetailer"],
  [/^Refiner/, "Refiner"],
  [/^Variation seed/, "Variation seed"],
  [/^Distilled CFG/, "Distilled CFG Scale"],
];

function leftOut(settings: Parameters["settings"], positive: string): string[] {
  const keys = [...settings.keys()];
  const left = BEYOND.filter(([key]) => keys.some((each) => key.test(each))).map(
    ([, name]) => name,
  );
  const isHires = left.includes("Hires fix");
  if (settings.has("Denoising strength") && !isHires) left.push("img2img");
  if (/<hypernet:/.test(positive)) left.push("Hypernetwork");
  if (/\bBREAK\b|\bAND\b/.test(positive)) left.push("BREAK, AND");
  return left;
}

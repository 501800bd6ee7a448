/** The facts of a picture, extracted from its prompt: texts, seed, model, steps, size. */
import { isObject, type Json, type JsonObject } from "../../document/json";

export interface Facts {
  positive: string | null;
  negative: string | null;
  seed: string | null;
  models: readonly string[];
  /** Steps, cfg, sampler and the like, with their names. */
  settings: readonly (readonly [string, string])[];
  size: string | null;
  /** Every node with its values. */
  nodes: readonly { id: string; type: string; values: readonly (readonly [string, string])[] }[];
}

const SEEDS = ["seed", "noise_seed"];
const MODELS =
  /(^|_)(ckpt|unet|model|lora|vae|control_net|clip|style_model|upscale_model)_name\d?$/;
const SETTINGS = ["steps", "cfg", "guidance", "sampler_name", "scheduler", "denoise", "shift"];
const TEXTS = ["text", "prompt", "text_g", "clip_l", "t5xxl", "string", "value"];
const STEPS_BACK = 12;

export function factsOf(prompt: Json): Facts {
  const nodes = isObject(prompt)
    ? Object.entries(prompt).flatMap(([id, node]) =>
        isObject(node) ? [{ id, type: String(node.class_type), inputs: inputsOf(node) }] : [],
      )
    : [];
  const values = nodes.flatMap(({ inputs }) => Object.entries(inputs));
  const first = (names: readonly string[]) =>
    values.find(([name, value]) => names.includes(name) && isPlain(value))?.[1];
  const [width, height] = [first(["width"]), first(["height"])];
  const seed = first(SEEDS);
  const behind = (name: string) => {
    const found = nodes.find(({ inputs }) => Array.isArray(inputs[name]));
    return found === undefined ? null : textBehind(prompt, found.inputs[name]);
  };
  return {
    positive: behind("positive") ?? longestText(values),
    negative: behind("negative"),
    seed: seed === undefined ? null : String(seed),
    models: [
      ...new Set(
        values.flatMap(([name, value]) =>
          MODELS.test(name) && typeof value === "string" ? [value] : [],
        ),
      ),
    ],
    settings: SETTINGS.flatMap((name) => {
      const found = first([name]);
      return found === undefined ? [] : [[name, String(found)] as const];
    }),
    size: width === undefined || height === undefined ? null : `${width} × ${height}`,
    nodes: nodes.map(({ id, type, inputs }) => ({
      id,
      type,
      values: Object.entries(inputs).flatMap(([name, value]) =>
        isPlain(value) ? [[name, String(value)] as const] : [],
      ),
    })),
  };
}

function inputsOf(node: Json | undefined): JsonObject {
  return isObject(node) && isObject(node.inputs) ? node.inputs : {};
}

function isPlain(value: Json | undefined): boolean {
  return ["string", "number", "bigint", "boolean"].includes(typeof value);
}

/** Follows links upstream to a text, through any nodes in between. */
function textBehind(prompt: Json, link: Json | undefined): string | null {
  let at = link;
  for (let step = 0; step < STEPS_BACK; step += 1) {
    if (!Array.isArray(at) || !isObject(prompt)) return null;
    const inputs = inputsOf(prompt[String(at[0])]);
    for (const name of TEXTS) {
      const text = inputs[name];
      if (typeof text === "string" && text !== "") return text;
    }
    const onward = [...TEXTS, "positive", "conditioning"].find((each) => each in inputs);
    at = onward === undefined ? Object.values(inputs).find(Array.isArray) : inputs[onward];
  }
  return null;
}

function longestText(values: readonly [string, Json][]): string | null {
  const texts = values.flatMap(([name, value]) =>
    TEXTS.includes(name) && typeof value === "string" && value !== "" ? [value] : [],
  );
  return texts.reduce<string | null>(
    (best, each) => (best === null || each.length > best.length ? each : best),
    null,
  );
}

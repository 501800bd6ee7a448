/**
 * The look of types: a colour for each, and a shape for each group, as eight hues are not enough.
 */

type Family = "weights" | "data" | "guidance" | "scalar";

const FAMILIES: Readonly<Record<string, Family>> = {
  MODEL: "weights",
  CLIP: "weights",
  VAE: "weights",
  CONTROL_NET: "weights",
  CLIP_VISION: "weights",
  STYLE_MODEL: "weights",
  UPSCALE_MODEL: "weights",
  LORA: "weights",
  IMAGE: "data",
  LATENT: "data",
  MASK: "data",
  AUDIO: "data",
  VIDEO: "data",
  CONDITIONING: "guidance",
  GUIDER: "guidance",
  SAMPLER: "guidance",
  SIGMAS: "guidance",
  NOISE: "guidance",
  INT: "scalar",
  FLOAT: "scalar",
  STRING: "scalar",
  BOOLEAN: "scalar",
  COMBO: "scalar",
};
const COLOURED = new Set([
  "MODEL",
  "CLIP",
  "VAE",
  "CONDITIONING",
  "LATENT",
  "IMAGE",
  "MASK",
  "CONTROL_NET",
]);

export function familyOf(type: string): Family {
  return FAMILIES[first(type)] ?? "data";
}

/** A CSS colour; types without their own get a muted hue derived from their name. */
export function colourOf(type: string): string {
  const kind = first(type);
  if (COLOURED.has(kind)) return `var(--type-${kind.toLowerCase().replace("_", "-")})`;
  if (familyOf(kind) === "scalar" || kind === "*") return "var(--type-scalar)";
  let hash = 0;
  for (const letter of kind) hash = (hash * 31 + letter.charCodeAt(0)) % 360;
  return `oklch(var(--type-other) ${hash})`;
}

function first(type: string): string {
  return type.split(",")[0]?.trim().toUpperCase() ?? type;
}

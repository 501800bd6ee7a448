/**
 * The kinds of nodes that the titles are tinted by. A node has the kind of its category, wherever
 * in the path it is named: packs write "My pack/loaders". A node with a colour of its own has no
 * tint.
 */
import type { NodeSchema } from "../../api/types";

/** The kinds; `--kind-NAME` is the colour in the theme. */
export const KINDS = ["loaders", "conditioning", "sampling", "image", "output"] as const;

type Kind = (typeof KINDS)[number];

const KIND_OF: Readonly<Record<string, Kind>> = {
  loaders: "loaders",
  loader: "loaders",
  conditioning: "conditioning",
  sampling: "sampling",
  custom_sampling: "sampling",
  latent: "sampling",
  image: "image",
  mask: "image",
  video: "image",
};

/** The kind of a node class; null for others, such as primitives. */
export function kindOf(schema: NodeSchema): Kind | null {
  if (schema.is_output) return "output";
  for (const part of schema.category.toLowerCase().split("/")) {
    const kind = KIND_OF[part];
    if (kind !== undefined) return kind;
  }
  return null;
}

/** The CSS variable that tints a title; undefined for a node without a kind. */
export function tintOf(schema: NodeSchema | undefined): Record<"--kind", string> | undefined {
  const kind = schema === undefined ? null : kindOf(schema);
  return kind === null ? undefined : { "--kind": `var(--kind-${kind})` };
}

/** The bundled workflows; each runs with the bundled model. */
import type { Needs } from "../../api/downloads";
import { parseJson } from "../../document/json";
import { client } from "../session/server";
import { openTemplateAs } from "../session/studio";
import { NOTHING } from "./needs";

interface Template {
  id: string;
  /** In English, shown through `t()`, like `about`. */
  title: string;
  about: string;
}

export const TEMPLATES: readonly Template[] = [
  { id: "text_to_image", title: "Text to image", about: "Makes an image from a prompt." },
  {
    id: "image_to_image",
    title: "Image to image",
    about: "Makes a variation of an image.",
  },
  { id: "inpaint", title: "Inpaint", about: "Regenerates only the masked part of an image." },
  { id: "outpaint", title: "Outpaint", about: "Extends an image beyond its edges." },
  {
    id: "hires_fix",
    title: "Two passes",
    about: "Makes a small image, then enlarges it and adds detail.",
  },
  {
    id: "winter_lora",
    title: "Winter with a LoRA",
    about: "Applies a LoRA that adds snow to the image.",
  },
  {
    id: "style_transfer",
    title: "Style transfer",
    about: "Gives an existing image the style of a LoRA.",
  },
  {
    id: "background_replacement",
    title: "Replace the background",
    about: "Regenerates what is behind the subject of an image.",
  },
  {
    id: "controlnet",
    title: "Edges with a ControlNet",
    about: "Makes an image that follows the edges of another.",
  },
];

const FILES = import.meta.glob<string>("../../../workflows/*.json", {
  query: "?raw",
  import: "default",
});
const PICTURES = import.meta.glob<string>("../../../workflows/*.webp", {
  query: "?url",
  import: "default",
  eager: true,
});

export function pictureOf({ id }: Template): string | undefined {
  return PICTURES[`../../../workflows/${id}.webp`];
}

export async function textOf({ id }: Template): Promise<string> {
  const load = FILES[`../../../workflows/${id}.json`];
  if (load === undefined) throw new Error(`There is no template ${id}.`);
  return await load();
}

export async function openTemplate(template: Template, title: string): Promise<void> {
  openTemplateAs(title, parseJson(await textOf(template)));
}

/** What a template needs, as the server says. */
export async function needsOfTemplate(template: Template): Promise<Needs> {
  const { needs = NOTHING } = await client.check(parseJson(await textOf(template)));
  return needs;
}

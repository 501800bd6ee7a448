/** The bundled workflows; each runs with the bundled model. */
import { parseJson } from "../../document/json";
import { readGraph } from "../../document/read";
import { layout, openWorkflow, useStudio } from "../studio";
import type { Missing } from "./missing";
import { missingFrom } from "./missing";

export interface Template {
  id: string;
  /** In English, shown through `t()`, like `about`. */
  title: string;
  about: string;
}

export const TEMPLATES: readonly Template[] = [
  { id: "text_to_image", title: "Text to image", about: "A prompt becomes a picture." },
  {
    id: "image_to_image",
    title: "Image to image",
    about: "A picture is painted again, close to what it was.",
  },
  { id: "inpaint", title: "Inpaint", about: "Only what a mask covers is painted again." },
  { id: "outpaint", title: "Outpaint", about: "A picture grows beyond its edges." },
  {
    id: "hires_fix",
    title: "Two passes",
    about: "A small picture first, then a larger one with its details.",
  },
  {
    id: "winter_lora",
    title: "Winter, by a LoRA",
    about: "A small file lays snow on whatever the model draws.",
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

async function textOf({ id }: Template): Promise<string> {
  const load = FILES[`../../../workflows/${id}.json`];
  if (load === undefined) throw new Error(`There is no template ${id}.`);
  return await load();
}

export async function openTemplate(template: Template, title: string): Promise<void> {
  openWorkflow(parseJson(await textOf(template)), { name: title });
}

/** What a template needs and the server lacks. */
export async function missingForTemplate(template: Template): Promise<Missing> {
  const graph = readGraph(parseJson(await textOf(template)), layout);
  return missingFrom(graph, useStudio.getState().catalog);
}

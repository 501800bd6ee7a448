/** Workflows of families of models, whose files users bring. They are read from the server. */
import type { Needs } from "../../api/downloads";
import { makeTemplates, type ServedTemplate, type TemplateCategory } from "../../api/templates";
import { parseJson, writeJson } from "../../document/json";
import { client } from "../session/server";
import { openTemplateAs } from "../session/studio";
import { NOTHING } from "./needs";
import { TEMPLATES } from "./templates";

const templates = makeTemplates({ parse: parseJson, write: writeJson });

/** By family, without those of the editor's own list. */
export async function familyTemplates(): Promise<TemplateCategory[]> {
  const own = new Set(TEMPLATES.map(({ id }) => id));
  const categories = await templates.list();
  return categories.filter((each) => each.templates.every(({ name }) => !own.has(name)));
}

export async function openFamilyTemplate({ name, title }: ServedTemplate): Promise<void> {
  openTemplateAs(title, parseJson(await templates.text(name)));
}

/** What a template needs, as the server says. */
export async function needsOfFamily({ name }: ServedTemplate): Promise<Needs> {
  const { needs = NOTHING } = await client.check(parseJson(await templates.text(name)));
  return needs;
}

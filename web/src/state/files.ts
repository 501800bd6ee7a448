/** Opening and saving: files dropped or chosen, what is embedded in them, and the server's folder. */
import defaultWorkflow from "../../workflows/text_to_image.json?raw";
import type { Point } from "../document/graph";
import { isObject, type Json, type JsonObject, parseJson, writeJson } from "../document/json";
import { graphsOf, levelAt } from "../document/levels";
import { kindOf, NotAWorkflow, readGraph } from "../document/read";
import { writeGraph } from "../document/write";
import { t } from "../words/words";
import { add, change } from "./actions";
import { loadExtensions, useExtensions, withPluginWidgets } from "./extensions";
import { withPrimitive } from "./primitive";
import { refreshJobs } from "./running";
import { client } from "./server";
import { activeTab, layout, openWorkflow, schemaOf, select, type Tab, useStudio } from "./studio";
import { tell, tellError } from "./view";

export function openDefault(): void {
  openWorkflow(parseJson(defaultWorkflow), { name: t("Text to image") });
  const { nodes } = activeTab().graph;
  const first = Object.values(nodes).find((each) => each.type === "CLIPTextEncode");
  if (first !== undefined) select([first.key]);
}

/** Opens what a dropped or chosen file holds. A picture without a workflow becomes a node. */
export async function openFile(file: File, at: Point): Promise<void> {
  try {
    const name = file.name.replace(/\.[^.]+$/, "");
    const found = await documentIn(file);
    if (found !== null) {
      openDocument(found.value, name);
      if (found.left !== null) tellMade(file.name, found.left);
      return;
    }
    if (!file.type.startsWith("image/"))
      throw new NotAWorkflow("{{name}} holds no workflow.", { name: file.name });
    await addPicture(file, at);
  } catch (error) {
    tellError(
      error instanceof SyntaxError
        ? new NotAWorkflow("{{name}} is no JSON.", { name: file.name })
        : error,
    );
  }
}

function tellMade(name: string, left: readonly string[]): void {
  tell(
    left.length === 0
      ? t("This graph was made from the text in {{name}}.", { name })
      : t("This graph was made from the text in {{name}}. Left out: {{parts}}.", {
          name,
          parts: left.join(", "),
        }),
  );
}

interface Found {
  value: Json;
  /** Of a graph made from a text: what of it is not in the graph. */
  left: readonly string[] | null;
}

/** What the file itself is, or tells of how it was made; null for neither. */
async function documentIn(file: File): Promise<Found | null> {
  if (file.name.toLowerCase().endsWith(".json")) {
    const value = parseJson(await file.text());
    if (kindOf(value) === null)
      throw new NotAWorkflow("{{name}} holds no workflow.", { name: file.name });
    return { value, left: null };
  }
  const embedded = await import("./embedded/document");
  return embedded.documentIn(file);
}

export function openDocument(value: Json, name: string): void {
  const workflow = kindOf(value) === "prompt" ? workflowOfPrompt(value as JsonObject) : value;
  openWorkflow(workflow, { name });
}

const COLUMN = 320;
const LINE = 280;

/** A graph in API form as one with places: columns by how far a node is from its sources. */
export function workflowOfPrompt(prompt: JsonObject): JsonObject {
  const keys = Object.keys(prompt);
  const ids = new Map(keys.map((key, index) => [key, index + 1]));
  const depths = depthsOf(prompt);
  const rows: number[] = [];
  const links: Json[] = [];
  const outputs = new Map<string, Json[][]>();
  const nodes = keys.map((key): JsonObject => {
    const entry = prompt[key] as JsonObject;
    const type = String(entry.class_type);
    const given = isObject(entry.inputs) ? entry.inputs : {};
    const depth = depths.get(key) ?? 0;
    rows[depth] = (rows[depth] ?? -1) + 1;
    const inputs: JsonObject[] = [];
    const values: JsonObject = {};
    for (const [name, value] of Object.entries(given)) {
      const [source, slot] = sourceOf(value, prompt) ?? [];
      if (source === undefined || slot === undefined) {
        values[name] = isObject(value) && "__value__" in value ? (value.__value__ ?? null) : value;
        continue;
      }
      const type = schemaOf(String((prompt[source] as JsonObject).class_type))?.outputs[slot]?.type;
      const id = links.length + 1;
      links.push([id, ids.get(source) ?? 0, slot, ids.get(key) ?? 0, inputs.length, type ?? "*"]);
      inputs.push({ name, type: type ?? "*", link: id });
      const slots = outputs.get(source) ?? [];
      while (slots.length <= slot) slots.push([]);
      slots[slot]?.push(id);
      outputs.set(source, slots);
    }
    const meta = isObject(entry._meta) ? entry._meta : {};
    const named = (layout(type) ?? []).filter((each) => each.kind !== "forced");
    return {
      id: ids.get(key) ?? 0,
      type,
      pos: [depth * COLUMN, (rows[depth] ?? 0) * LINE],
      size: [240, 0],
      flags: {},
      order: depth,
      mode: 0,
      inputs,
      properties: { "Node name for S&R": type },
      ...(typeof meta.title === "string" && meta.title !== schemaOf(type)?.display_name
        ? { title: meta.title }
        : {}),
      widgets_values:
        named.length > 0
          ? named.map(({ name, kind, default: standard }) =>
              kind === "control" ? "fixed" : (values[name] ?? standard),
            )
          : Object.values(values),
    };
  });
  for (const node of nodes) {
    const key = keys[Number(node.id) - 1] ?? "";
    const described = schemaOf(String(node.type))?.outputs ?? [];
    const slots = outputs.get(key) ?? [];
    node.outputs = Array.from({ length: Math.max(described.length, slots.length) }, (_, index) => ({
      name: described[index]?.name ?? "",
      type: described[index]?.type ?? "*",
      links: slots[index] ?? [],
    }));
  }
  return {
    last_node_id: nodes.length,
    last_link_id: links.length,
    nodes,
    links,
    groups: [],
    config: {},
    extra: {},
    version: 0.4,
  };
}

function sourceOf(value: Json, prompt: JsonObject): [string, number] | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [source, slot] = value;
  return typeof source === "string" && typeof slot === "number" && isObject(prompt[source])
    ? [source, slot]
    : null;
}

function depthsOf(prompt: JsonObject): Map<string, number> {
  const depths = new Map<string, number>();
  // Each round settles at least one more node of a graph without circles.
  for (let round = 0; round < Object.keys(prompt).length; round += 1) {
    let moved = false;
    for (const [key, entry] of Object.entries(prompt)) {
      const inputs = isObject(entry) && isObject(entry.inputs) ? Object.values(entry.inputs) : [];
      const sources = inputs.flatMap((each) => sourceOf(each, prompt)?.[0] ?? []);
      const depth = Math.max(0, ...sources.map((each) => (depths.get(each) ?? 0) + 1));
      if (depth !== depths.get(key)) moved = true;
      depths.set(key, depth);
    }
    if (!moved) break;
  }
  return depths;
}

async function addPicture(file: File, at: Point): Promise<void> {
  const schema = schemaOf("LoadImage");
  const { filename, subfolder } = await client.upload(file, file.name);
  await refreshCatalog();
  if (schema === undefined) throw new Error("This server has no node that loads pictures.");
  const key = add(schema, at);
  change(key, "image", subfolder === "" ? filename : `${subfolder}/${filename}`);
}

export async function refreshCatalog(): Promise<void> {
  const [listed] = await Promise.all([client.catalog(), loadExtensions()]);
  const catalog = withPrimitive(withPluginWidgets(listed, useExtensions.getState().declared));
  useStudio.setState({ catalog });
  useStudio.setState(({ tabs }) => ({ tabs: tabs.map(renamed) }));

  /** Nodes that the catalog did not know are read again by their names. */
  function renamed(tab: Tab): Tab {
    const unknown = graphsOf(tab.workflow).some(({ nodes }) =>
      Object.values(nodes).some(
        (each) => each.slots.some((name) => name.startsWith("#")) && each.type in catalog,
      ),
    );
    if (!unknown || tab.log.done.length > 0) return tab;
    const workflow = readGraph(writeGraph(tab.workflow), layout);
    const kept = tab.workflow === tab.kept ? workflow : tab.kept;
    return { ...tab, workflow, kept, graph: levelAt(workflow, tab.level) };
  }
}

/** Hands the open document out as a file. */
export function download(): void {
  const { workflow, name } = activeTab();
  const blob = new Blob([writeJson(writeGraph(workflow), 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export async function openJob(job: string, workflow: Json | null): Promise<void> {
  if (workflow === null) tell(t("This picture was made without a saved workflow."));
  else openWorkflow(workflow, { name: t("From {{job}}", { job: job.slice(0, 8) }) });
  await refreshJobs();
}

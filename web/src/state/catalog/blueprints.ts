/**
 * Blueprints: the user's own subgraphs, stored on the server in the folder that other editors of
 * this format use, and those of plugins. The palette lists them among the nodes.
 */

import { create } from "zustand";
import { fileNameFor } from "../../api/fileName";
import { HttpError } from "../../api/transport";
import type { NodeSchema } from "../../api/types";
import { labelOf } from "../../document/editLabel";
import { type Point, subgraphOf } from "../../document/graph";
import { type Json, parseJson, writeJson } from "../../document/json";
import { NotAWorkflowError, readGraph } from "../../document/read";
import { copyNodes, pasteNodes } from "../../document/snippet";
import { t } from "../../words/words";
import { catalogWith } from "../nodes/subgraphSchema";
import { askForName } from "../session/ask";
import type { Editor } from "../session/editor";
import { nameProblem } from "../session/paths";
import { client } from "../session/server";
import { edit, layout, select, useStudio } from "../session/studio";
import { notify, notifyError } from "../session/view";

const FOLDER = "subgraphs";
/** The `python_module` of a class that is a blueprint. */
const BLUEPRINT = "blueprint";

interface Blueprint {
  name: string;
  /** The plugin that provides it; null for the user's own. */
  pack: string | null;
  content: Json;
  schema: NodeSchema;
}

interface Blueprints {
  /** By name; null until they are loaded. */
  all: Readonly<Record<string, Blueprint>> | null;
}

export const useBlueprints = create<Blueprints>(() => ({ all: null }));

/** Reloads all blueprints. A notice reports each one that cannot be read. */
export async function refreshBlueprints(): Promise<void> {
  try {
    const [names, provided] = await Promise.all([client.files(FOLDER), client.pluginSubgraphs()]);
    const texts = await Promise.all(
      names
        .filter((each) => each.endsWith(".json"))
        .map(async (file) => ({ file, text: await client.load(`${FOLDER}/${file}`) })),
    );
    const own = texts.flatMap(
      ({ file, text }) => blueprintIn(file.replace(/\.json$/, ""), text) ?? [],
    );
    const theirs = provided.flatMap(
      ({ name, pack, text }) => blueprintIn(`${name} (${pack})`, text, pack) ?? [],
    );
    // The user's own blueprint hides a plugin's of the same name.
    const read = [...theirs, ...own];
    useBlueprints.setState({ all: Object.fromEntries(read.map((each) => [each.name, each])) });
  } catch (error) {
    notifyError(error);
  }
}

function blueprintIn(
  name: string,
  text: string | null,
  pack: string | null = null,
): Blueprint | null {
  try {
    const content = text === null ? null : parseJson(text);
    const workflow = readGraph(content, layout);
    const [node] = Object.values(workflow.nodes);
    const { catalog } = useStudio.getState();
    const found = catalogWith(workflow, catalog)[node?.type ?? ""];
    if (found === undefined) return null;
    const schema = {
      ...found,
      class_type: `${BLUEPRINT}:${name}`,
      display_name: name,
      category: "blueprints",
      python_module: BLUEPRINT,
    };
    return { name, pack, content, schema };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof NotAWorkflowError)) throw error;
    notify(t("The blueprint {{name}} could not be read.", { name }));
    return null;
  }
}

/** The blueprints as classes for the palette, by class name. */
export function blueprintCatalog(all: Blueprints["all"]): Readonly<Record<string, NodeSchema>> {
  const schemas = Object.values(all ?? {}).map(({ schema }) => schema);
  return Object.fromEntries(schemas.map((each) => [each.class_type, each]));
}

export function isBlueprint(schema: NodeSchema): boolean {
  return schema.python_module === BLUEPRINT;
}

/** Adds a blueprint as the last step of an edit with the same thread. Returns its key. */
export function placeBlueprint(
  editor: Editor,
  schema: NodeSchema,
  at: Point,
  thread?: string,
): string | null {
  const found = Object.values(useBlueprints.getState().all ?? {}).find(
    (each) => each.schema.class_type === schema.class_type,
  );
  if (found === undefined) return null;
  let keys: string[] = [];
  try {
    edit(
      editor,
      labelOf("Add {{name}}", { name: found.name }),
      (draft, workflow) => {
        keys = pasteNodes(draft, found.content, layout, at, false, workflow);
      },
      thread,
    );
  } catch (error) {
    if (!(error instanceof NotAWorkflowError)) throw error;
    notifyError(error);
  }
  select(editor, keys);
  return keys[0] ?? null;
}

/** Saves the subgraph of an instance as a blueprint, with the instance's values. */
export async function saveBlueprint(editor: Editor, key: string): Promise<void> {
  const { graph, workflow } = editor.tab;
  const definition = subgraphOf(workflow.definitions, graph.nodes[key]?.type);
  if (definition === undefined) return;
  const name = await askForName(t("Save the blueprint as"), fileNameFor(definition.name));
  if (name === null) return;
  const content = { ...copyNodes(graph, [key], workflow), links: [] };
  await attempt(name, () => client.save(fileOf(name), writeJson(content, 1), false));
}

export async function renameBlueprint(from: string, to: string): Promise<void> {
  const name = to.replaceAll("/", "-").trim();
  if (name === "" || name === from) return;
  await attempt(name, () => client.move(`${FOLDER}/${from}.json`, fileOf(name)));
}

export async function removeBlueprint(name: string): Promise<void> {
  await attempt(name, () => client.remove(`${FOLDER}/${name}.json`));
}

/** The path for a new blueprint. Throws where the name is not valid for a file. */
function fileOf(name: string): string {
  const problem = nameProblem(name);
  if (problem !== null) throw new Error(problem);
  return `${FOLDER}/${name}.json`;
}

async function attempt(name: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const isTaken = error instanceof HttpError && error.status === 409;
    notifyError(
      isTaken
        ? new Error(
            t("There is already a blueprint called {{name}}. Choose another name.", { name }),
          )
        : error,
    );
  }
  await refreshBlueprints();
}

/**
 * Saved workflows by others, from the packages of the test extra. Outside CI they may be absent; in
 * CI their absence fails.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Json, parseJson } from "../src/document/json";
import open from "./document/templates.json";

const PYTHON = process.env.CALOTYPE_PYTHON ?? "python";
const WHERE = `
import importlib.util, sys
for name in sys.argv[1:]:
    found = importlib.util.find_spec(name)
    print(found.submodule_search_locations[0] if found else "")
`;

/** The folders of the packages; none where one is not installed. */
function foldersOf(packages: readonly string[]): string[] {
  try {
    const text = execFileSync(PYTHON, ["-c", WHERE, ...packages], { encoding: "utf8" });
    return text.split("\n");
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return packages.map(() => "");
  }
}

const [templates = "", blueprints = ""] = foldersOf([
  "comfyui_workflow_templates_json",
  "comfyui_subgraph_blueprints",
]);

export const areHere = templates !== "" && blueprints !== "";
if (!areHere && process.env.CI !== undefined) {
  throw new Error("The packages with templates are not installed: pip install -e '.[test]'");
}

export const openTemplates: readonly string[] = areHere ? open.names : [];
export const blueprintNames: readonly string[] = areHere
  ? readdirSync(join(blueprints, "blueprints"))
      .filter((each) => each.endsWith(".json"))
      .map((each) => each.replace(/\.json$/, ""))
  : [];

export function templateFile(name: string): string {
  return join(templates, "templates", `${name}.json`);
}

export function readTemplate(name: string): Json {
  return parseJson(readFileSync(templateFile(name), "utf8"));
}

export function readBlueprint(name: string): Json {
  return parseJson(readFileSync(join(blueprints, "blueprints", `${name}.json`), "utf8"));
}

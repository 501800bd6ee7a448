/** The schemas of the built-in nodes, from the catalog that the server starts with. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Catalog, catalogOf } from "../src/api/catalog";
import type { NodeSchema } from "../src/api/types";

const FILE = resolve(import.meta.dirname, "../../engine/server/builtin_catalog.json");
/** What the file leaves out. */
const NODE: Omit<NodeSchema, "class_type"> = {
  display_name: "",
  category: "",
  inputs: [],
  outputs: [],
  description: "",
  python_module: "",
  is_output: false,
  input_is_list: false,
  deprecated: false,
  experimental: false,
  not_idempotent: false,
  flexible: false,
  any_slot: false,
  checks_input_types: false,
  checks: [],
};
const INPUT = { section: "required", options: {}, choices: null, folder: null };
const OUTPUT = { is_list: false, tooltip: null, match: null };

export function builtinCatalog(): Catalog {
  const listed = JSON.parse(readFileSync(FILE, "utf8")) as NodeSchema[];
  return catalogOf(
    listed.map((each) => {
      const inputs = (each.inputs ?? []).map((input) => ({ ...INPUT, ...input }));
      const outputs = (each.outputs ?? []).map((output) => ({ ...OUTPUT, ...output }));
      return [each.class_type, { ...NODE, ...each, inputs, outputs } as NodeSchema] as const;
    }),
  );
}

/** Parses `/object_info` into schemas of nodes, with the older and the newer form of a combo. */
import type { InputSchema, NodeSchema, OutputSchema } from "./types";

export type Catalog = Readonly<Record<string, NodeSchema>>;

type Raw = Record<string, unknown>;
type Section = InputSchema["section"];

const SECTIONS: readonly Section[] = ["required", "optional", "hidden"];

export function readCatalog(objectInfo: Raw): Catalog {
  return catalogOf(
    Object.entries(objectInfo).map(([name, info]) => [name, readSchema(name, info)] as const),
  );
}

/** A catalog of these classes, without a prototype: a file may name a class `constructor`. */
export function catalogOf(classes: Iterable<readonly [string, NodeSchema]>): Catalog {
  const catalog = Object.create(null) as Record<string, NodeSchema>;
  for (const [name, schema] of classes) catalog[name] = schema;
  return catalog;
}

function readSchema(name: string, given: unknown): NodeSchema {
  const info = objectOf(given);
  const input = objectOf(info.input);
  const order = objectOf(info.input_order);
  const inputs = readInputs(input, order);
  return {
    class_type: name,
    display_name: textOf(info.display_name) || name,
    category: textOf(info.category),
    inputs,
    outputs: readOutputs(info),
    description: textOf(info.description),
    python_module: textOf(info.python_module),
    is_output: info.output_node === true,
    input_is_list: info.input_is_list === true,
    deprecated: info.deprecated === true,
    experimental: info.experimental === true,
    not_idempotent: false,
    flexible: false,
    any_slot: false,
    checks_input_types: false,
    checks: [],
  };
}

/**
 * Inputs from `{required: {name: [type, options]}, optional: ...}`; options may be nested likewise.
 */
export function readInputs(described: Raw, order: Raw = {}): InputSchema[] {
  return SECTIONS.flatMap((section) => {
    const named = objectOf(described[section]);
    const names = Array.isArray(order[section]) ? (order[section] as string[]) : Object.keys(named);
    return names.map((each) => readInput(each, named[each], section));
  });
}

function readInput(name: string, given: unknown, section: Section): InputSchema {
  const entry = Array.isArray(given) ? given : [given];
  const options = { ...objectOf(entry[1]) };
  const [kind] = entry;
  if (Array.isArray(kind)) {
    return { name, type: "COMBO", section, options, choices: kind, folder: null };
  }
  const type = textOf(kind);
  const choices = Array.isArray(options.options) ? options.options : null;
  if (type === "COMBO") delete options.options;
  return { name, type, section, options, choices: type === "COMBO" ? choices : null, folder: null };
}

function readOutputs(info: Raw): OutputSchema[] {
  const [types, names, lists, tooltips, matches] = [
    info.output,
    info.output_name,
    info.output_is_list,
    info.output_tooltips,
    info.output_matchtypes,
  ].map((each) => (Array.isArray(each) ? each : []));
  return (types ?? []).map((each, index) => {
    const type = Array.isArray(each) ? "COMBO" : textOf(each);
    return {
      type,
      name: textOf(names?.[index]) || type,
      is_list: lists?.[index] === true,
      tooltip: textOf(tooltips?.[index]) || null,
      match: textOf(matches?.[index]) || null,
    };
  });
}

function objectOf(value: unknown): Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The search syntax for nodes: `#category @pack >in:TYPE <out:TYPE`. */
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import { fits } from "../nodes/sockets";

export type Sign = "#" | "@" | ">" | "<";

interface Filter {
  sign: Sign;
  value: string;
}

export interface Query {
  words: string;
  filters: readonly Filter[];
}

/** Each sign with its meaning, for the legend. */
export const SIGNS: Readonly<Record<Sign, { example: string; title: string }>> = {
  "#": { example: "#category", title: "Nodes of a category" },
  "@": { example: "@pack", title: "Nodes of a pack" },
  ">": { example: ">in:TYPE", title: "Nodes that take a type" },
  "<": { example: "<out:TYPE", title: "Nodes that output a type" },
};

export function readQuery(typed: string): Query {
  const words: string[] = [];
  const filters: Filter[] = [];
  for (const token of typed.trim().split(/\s+/)) {
    const filter = filterOf(token);
    if (filter === null) words.push(token);
    else if (filter.value !== "") filters.push(filter);
  }
  return { words: words.join(" "), filters };
}

function filterOf(token: string): Filter | null {
  const sign = token[0] as Sign;
  if (!(sign in SIGNS) || token === "") return null;
  const value = token.slice(1).replace(/^(in|out):/, "");
  return { sign, value: value === "in" || value === "out" ? "" : value };
}

export function matchesFilters({ filters }: Query, schema: NodeSchema): boolean {
  return filters.every(({ sign, value: typed }) => {
    const value = typed.toLowerCase();
    if (sign === "#") return isInCategory(schema.category.toLowerCase(), value);
    if (sign === "@") return packOf(schema).toLowerCase().includes(value);
    const types = sign === ">" ? inputTypes(schema) : schema.outputs.map((each) => each.type);
    return types.some((type) => type !== "*" && isType(type, value, sign));
  });
}

/** Matches the beginning of any word of the category; a space is typed as an underscore. */
function isInCategory(category: string, value: string): boolean {
  const spaced = category.replaceAll(" ", "_");
  return spaced.startsWith(value) || spaced.includes(`/${value}`) || spaced.includes(`_${value}`);
}

function inputTypes(schema: NodeSchema): string[] {
  return schema.inputs.filter((each) => each.section !== "hidden").map((each) => each.type);
}

/** Matches types that fit a socket of the typed type, and types whose name begins with the text. */
function isType(type: string, value: string, sign: Sign): boolean {
  const full = value.toUpperCase();
  return (
    (sign === ">" ? fits(full, type) : fits(type, full)) || type.toLowerCase().startsWith(value)
  );
}

/** The pack that a node belongs to. */
export function packOf({ python_module }: NodeSchema): string {
  const [first, second] = python_module.split(".");
  return first === "custom_nodes" && second !== undefined ? second : "built-in";
}

/** The filter being typed, where the last word begins with a sign; else null. */
function filterBeingTyped(typed: string): Filter | null {
  const last = typed.split(/\s+/).at(-1) ?? "";
  return filterOf(last);
}

const MAX_COMPLETIONS = 6;

/** Completions of the filter being typed. */
export function completions(catalog: Catalog, typed: string): string[] {
  const open = filterBeingTyped(typed);
  if (open === null) return [];
  const value = open.value.toLowerCase();
  const all = new Set<string>();
  for (const schema of Object.values(catalog))
    for (const each of valuesOf(schema, open.sign)) all.add(each);
  const starting = [...all].filter((each) => each.toLowerCase().startsWith(value));
  const others = [...all].filter(
    (each) => !starting.includes(each) && each.toLowerCase().includes(value),
  );
  const offered = [...starting.sort(), ...others.sort()];
  const isDone = offered.length === 1 && offered[0]?.toLowerCase() === value;
  return isDone ? [] : offered.slice(0, MAX_COMPLETIONS);
}

function valuesOf(schema: NodeSchema, sign: Sign): string[] {
  if (sign === "#") return schema.category === "" ? [] : [schema.category.replaceAll(" ", "_")];
  if (sign === "@") return [packOf(schema)];
  const types = sign === ">" ? inputTypes(schema) : schema.outputs.map((each) => each.type);
  return types.flatMap((each) => each.split(",")).filter((each) => each !== "*" && each !== "");
}

/** The typed text with its last word completed. */
export function completed(typed: string, value: string): string {
  const open = filterBeingTyped(typed);
  if (open === null) return typed;
  const word = /\S*$/;
  const prefix = open.sign === ">" ? ">in:" : open.sign === "<" ? "<out:" : open.sign;
  return `${typed.replace(word, `${prefix}${value}`)} `;
}

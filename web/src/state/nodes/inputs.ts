/**
 * The current inputs of a node, including those that a choice brings and those that multiply as
 * they are connected. The server has the same rule (graph/dynamic.py), except for the empty socket
 * offered after the last connected one. Such names have dots: `images.image0`, `format.codec`.
 */
import { isDraft } from "mutative";
import { readInputs } from "../../api/catalog";
import type { InputSchema, NodeSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import { drawnBy, positionalName } from "../../document/slots";
import { DYNAMIC_COMBO, withDrawnFields } from "./fieldTypes";
import { PRIMITIVE, primitiveInput } from "./primitive";

export const AUTOGROW = "COMFY_AUTOGROW_V3";
const DYNAMIC_SLOT = "COMFY_DYNAMICSLOT_V3";
export const MATCH = "COMFY_MATCHTYPE_V3";
const DYNAMIC: ReadonlySet<string> = new Set([AUTOGROW, DYNAMIC_COMBO, DYNAMIC_SLOT]);
const MAX_INPUTS = 100;

type Raw = Record<string, unknown>;

interface NodeState {
  values: Readonly<Record<string, unknown>>;
  linked: ReadonlySet<string>;
  /** The names of combos whose choices are typed into the node. */
  typed: ReadonlySet<string>;
  /** These choices, and the fields that they are typed into. */
  choices: readonly string[];
  fields: readonly InputSchema[];
}

/** A choice with the inputs it brings. */
interface Option {
  key: string;
  inputs: readonly InputSchema[];
}

const EMPTY_STATE: NodeState = {
  values: {},
  linked: new Set(),
  typed: new Set(),
  choices: [],
  fields: [],
};
const cache = new WeakMap<GraphNode, { schema: NodeSchema; inputs: readonly InputSchema[] }>();
const dynamicCache = new WeakMap<NodeSchema, boolean>();

/** The inputs of a node, or of a new one where none is given. */
export function inputsOf(schema: NodeSchema, node?: GraphNode): readonly InputSchema[] {
  if (schema.class_type === PRIMITIVE && node !== undefined) return [primitiveOf(node)];
  if (!isDynamic(schema) && !node?.inputs.some(({ widget }) => widget !== null)) {
    return schema.inputs;
  }
  if (node === undefined) return expand(schema.inputs, EMPTY_STATE);
  const cached = isDraft(node) ? undefined : cache.get(node);
  if (cached?.schema === schema) return cached.inputs;
  const linked = new Set(node.inputs.flatMap(({ name, link }) => (link === null ? [] : [name])));
  const typed = new Set(schema.inputs.flatMap((each) => comboOfChoices(each) ?? []));
  const choices = typed.size === 0 ? [] : typedChoices(node);
  const fields = typed.size === 0 ? [] : choiceFields(node, schema.inputs.length);
  const state = { values: node.values, linked, typed, choices, fields };
  const inputs = withDrawnFields(
    isDynamic(schema) ? expand(schema.inputs, state) : schema.inputs,
    drawnBy(node.inputs),
  );
  // Not cached for a draft, which changes in place.
  if (!isDraft(node)) cache.set(node, { schema, inputs });
  return inputs;
}

const primitiveCache = new WeakMap<GraphNode, InputSchema>();

function primitiveOf(node: GraphNode): InputSchema {
  const cached = isDraft(node) ? undefined : primitiveCache.get(node);
  if (cached !== undefined) return cached;
  const made = primitiveInput(node);
  if (!isDraft(node)) primitiveCache.set(node, made);
  return made;
}

function isDynamic(schema: NodeSchema): boolean {
  const cached = dynamicCache.get(schema);
  if (cached !== undefined) return cached;
  const is = schema.inputs.some(
    (each) => DYNAMIC.has(each.type) || comboOfChoices(each) !== undefined,
  );
  dynamicCache.set(schema, is);
  return is;
}

/** Whether a saved input without a wire is one that multiplied, and so need not be shown. */
export function isAutogrown(schema: NodeSchema, name: string): boolean {
  return schema.inputs.some((each) => DYNAMIC.has(each.type) && name.startsWith(`${each.name}.`));
}

function expand(inputs: readonly InputSchema[], state: NodeState): InputSchema[] {
  return inputs.flatMap((each) => {
    if (each.type === AUTOGROW) return expand(autogrown(each, state), state);
    if (each.type === DYNAMIC_SLOT) return expand(slotParts(each, state), state);
    if (each.type === DYNAMIC_COMBO) {
      const combo = comboOf(each);
      const chosen = String(state.values[each.name] ?? combo.options.default ?? "");
      const option = optionsOf(each).find(({ key }) => key === chosen);
      return [combo, ...expand(option?.inputs ?? [], state)];
    }
    // The index of a choice is replaced by the fields: the server determines it when it reads the
    // workflow.
    if (comboOfChoices(each) !== undefined) return [...state.fields];
    return [state.typed.has(each.name) ? { ...each, choices: [...state.choices] } : each];
  });
}

/** A slot that brings further inputs once it is connected, and those. */
function slotParts(parent: InputSchema, state: NodeState): InputSchema[] {
  const { slotType, inputs, ...options } = parent.options;
  const own = { ...parent, type: String(slotType ?? "*"), options };
  if (!state.linked.has(parent.name)) return [own];
  const brought = readInputs(isRaw(inputs) ? inputs : {});
  return [own, ...brought.map((each) => ({ ...each, name: `${parent.name}.${each.name}` }))];
}

/** The name of the combo of typed choices whose index this input is. */
function comboOfChoices({ options }: InputSchema): string | undefined {
  return typeof options.place_of === "string" ? options.place_of : undefined;
}

/** The choices typed into a node: the texts in its saved list after the chosen one. */
function typedChoices({ slots, values }: GraphNode): string[] {
  return slots
    .slice(1)
    .map((name) => values[name])
    .filter((value) => typeof value === "string" && value !== "") as string[];
}

/** The fields for typed choices: one for each choice that the node holds, and an empty one. */
function choiceFields({ slots, values }: GraphNode, count: number): InputSchema[] {
  const names = slots.slice(1).filter((name) => typeof values[name] === "string");
  const last = names.at(-1);
  // Entries without an input are named by their index.
  const isFull = last === undefined || values[last] !== "";
  const all = isFull ? [...names, positionalName(Math.max(slots.length, count))] : names;
  return all.map((name, index) => ({
    name,
    type: "STRING",
    section: "optional",
    options: { display_name: `option${index + 1}`, socketless: true },
    choices: null,
    folder: null,
  }));
}

/** The combo for which a field of a node holds a choice; null for any other field. */
export function comboForField(schema: NodeSchema, node: GraphNode, field: string): string | null {
  const [combo] = schema.inputs.flatMap((each) => comboOfChoices(each) ?? []);
  if (combo === undefined) return null;
  const fields = choiceFields(node, schema.inputs.length);
  return fields.some(({ name }) => name === field) ? combo : null;
}

/** A combo of the keys of the choices. */
export function comboOf(parent: InputSchema): InputSchema {
  const keys = optionsOf(parent).map(({ key }) => key);
  const { options: _, ...options } = parent.options;
  return {
    ...parent,
    type: "COMBO",
    choices: keys,
    options: { default: keys[0] ?? "", ...options },
  };
}

const optionsCache = new WeakMap<InputSchema, readonly Option[]>();

export function optionsOf(parent: InputSchema): readonly Option[] {
  const cached = optionsCache.get(parent);
  if (cached !== undefined) return cached;
  const described = Array.isArray(parent.options.options) ? parent.options.options : [];
  const options = described.filter(isRaw).map((each) => ({
    key: String(each.key),
    inputs: readInputs(isRaw(each.inputs) ? each.inputs : {}).map((child) => ({
      ...child,
      name: `${parent.name}.${child.name}`,
    })),
  }));
  optionsCache.set(parent, options);
  return options;
}

/** The required ones, those in use, and one more for the next wire. */
function autogrown(parent: InputSchema, state: NodeState): InputSchema[] {
  const template = isRaw(parent.options.template) ? parent.options.template : {};
  const [pattern] = readInputs(isRaw(template.input) ? template.input : {});
  if (pattern === undefined) return [];
  const names = namesOf(template, pattern.name).map((name) => `${parent.name}.${name}`);
  const least = requiredCount(parent, template);
  const used = names.findLastIndex((name) => state.linked.has(name) || name in state.values);
  return names.slice(0, Math.max(least, used + 2)).map((name, index) => ({
    ...pattern,
    name,
    section: index < least ? "required" : "optional",
  }));
}

function namesOf(template: Raw, name: string): string[] {
  if (Array.isArray(template.names) && template.names.length > 0) return template.names.map(String);
  const prefix = typeof template.prefix === "string" ? template.prefix : name;
  const most = Math.min(Number(template.max ?? MAX_INPUTS), MAX_INPUTS);
  return Array.from({ length: most }, (_, index) => `${prefix}${index}`);
}

function requiredCount(parent: InputSchema, template: Raw): number {
  return parent.section === "required" ? Number(template.min ?? 1) : 0;
}

function isRaw(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The name of the template whose type a matching input has. */
export function templateOf({ name, options: { template } }: InputSchema): string {
  const named = isRaw(template) ? template.template_id : undefined;
  return typeof named === "string" ? named : name;
}

/** The types that a matching input accepts by its template: `IMAGE,MASK`, or any. */
export function allowedTypes(options: Readonly<Record<string, unknown>>): string {
  const { template } = options;
  const allowed =
    typeof template === "object" && template !== null && "allowed_types" in template
      ? template.allowed_types
      : null;
  if (Array.isArray(allowed)) return allowed.join(",");
  return typeof allowed === "string" && allowed !== "" ? allowed : "*";
}

/** The type shown for an input: for a matching one, the type it was connected to. */
export function shownType(node: GraphNode, { name, type, options }: InputSchema): string {
  if (type !== MATCH) return type;
  const found = node.inputs.find((each) => each.name === name)?.type;
  return found === undefined || found === MATCH ? allowedTypes(options) : found;
}

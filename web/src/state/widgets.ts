/** What a node's inputs mean for the editor: which are widgets, what a saved list of them holds. */
import type { InputSchema, NodeSchema } from "../api/types";
import type { GraphNode, Point, WidgetSlot } from "../document/graph";
import type { Json } from "../document/json";

const WIDGETS: ReadonlySet<string> = new Set(["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"]);
const SEEDS: ReadonlySet<string> = new Set(["seed", "noise_seed"]);
const EMPTY: Readonly<Record<string, Json>> = { INT: 0, FLOAT: 0, STRING: "", BOOLEAN: false };
export const CONTROL = "control_after_generate";
export const CONTROLS = ["fixed", "increment", "decrement", "randomize"] as const;

export function isWidget(input: InputSchema): boolean {
  return input.section !== "hidden" && WIDGETS.has(input.type) && input.options.forceInput !== true;
}

export function isSocket(input: InputSchema): boolean {
  return input.section !== "hidden" && !isWidget(input);
}

export function defaultOf(input: InputSchema): Json {
  const stated = input.options.default;
  if (input.type === "COMBO") {
    const choices = input.choices ?? [];
    return (choices.includes(stated) ? stated : (choices[0] ?? "")) as Json;
  }
  return stated === undefined ? (EMPTY[input.type] ?? null) : (stated as Json);
}

/** The name of the widget that says what to do with this input after a run, if it has one. */
export function controlOf(schema: NodeSchema, input: InputSchema): string | null {
  const controlled = schema.inputs.filter(isControlled);
  const index = controlled.indexOf(input);
  if (index < 0) return null;
  return index === 0 ? CONTROL : `${CONTROL}_${index + 1}`;
}

function isControlled(input: InputSchema): boolean {
  if (!isWidget(input)) return false;
  const stated = input.options[CONTROL];
  return stated === undefined || stated === false ? SEEDS.has(input.name) : true;
}

const layouts = new WeakMap<NodeSchema, readonly WidgetSlot[]>();

export function layoutOf(schema: NodeSchema): readonly WidgetSlot[] {
  const known = layouts.get(schema);
  if (known !== undefined) return known;
  const made = schema.inputs.flatMap((input): WidgetSlot[] => {
    if (input.section === "hidden") return [];
    if (!isWidget(input)) {
      const forced = input.options.forceInput === true && WIDGETS.has(input.type);
      return forced ? [{ name: input.name, kind: "forced", default: null }] : [];
    }
    const slots: WidgetSlot[] = [{ name: input.name, kind: "value", default: defaultOf(input) }];
    const control = controlOf(schema, input);
    if (control !== null) slots.push({ name: control, kind: "control", default: "randomize" });
    if (input.options.image_upload === true) {
      slots.push({ name: "upload", kind: "extra", default: "image" });
    }
    return slots;
  });
  layouts.set(schema, made);
  return made;
}

/** A node as it is first put down. */
export function newNode(schema: NodeSchema, id: number, at: Point, width: number): GraphNode {
  const layout = layoutOf(schema).filter((each) => each.kind !== "forced");
  const size = { width, height: 0 };
  return {
    key: String(id),
    id,
    type: schema.class_type,
    title: null,
    position: at,
    size,
    mode: 0,
    collapsed: false,
    color: null,
    inputs: schema.inputs.filter(isSocket).map(({ name, type, section }) => ({
      name,
      type,
      link: null,
      widget: null,
      saved: { name, type, link: null, ...(section === "optional" ? { shape: 7 } : {}) },
    })),
    outputs: schema.outputs.map(({ name, type }, index) => ({
      name,
      type,
      links: [],
      saved: { name, type, links: [], slot_index: index },
    })),
    values: Object.fromEntries(layout.map((each) => [each.name, each.default])),
    slots: layout.map((each) => each.name),
    saved: {
      id,
      type: schema.class_type,
      pos: [at.x, at.y],
      size: [width, 0],
      flags: {},
      order: 0,
      mode: 0,
      inputs: [],
      outputs: [],
      properties: { "Node name for S&R": schema.class_type },
      widgets_values_named: {},
    },
  };
}

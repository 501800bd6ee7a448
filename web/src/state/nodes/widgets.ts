/**
 * The meaning of a node's inputs for the editor: which are widgets, and how a saved list of values
 * is laid out.
 */
import type { InputSchema, NodeSchema } from "../../api/types";
import { blankNode, blankSaved } from "../../document/blank";
import type { GraphNode, Point, WidgetSlot } from "../../document/graph";
import type { Json } from "../../document/json";
import { entriesOf } from "../../document/slots";
import { DYNAMIC_COMBO, isView, WIDGETS, widgetType, withDrawnFields } from "./fieldTypes";
import { AUTOGROW, comboOf, inputsOf, optionsOf } from "./inputs";

const SEEDS: ReadonlySet<string> = new Set(["seed", "noise_seed"]);
const EMPTY: Readonly<Record<string, Json>> = {
  INT: 0,
  FLOAT: 0,
  STRING: "",
  BOOLEAN: false,
  COLOR: "#ffffff",
  LOAD_3D: "",
  LOAD_3D_ANIMATION: "",
  CURVE: {
    points: [
      [0, 0],
      [1, 1],
    ],
    interpolation: "monotone_cubic",
  },
  BOUNDING_BOX: { x: 0, y: 0, width: 512, height: 512 },
  WEBCAM: "",
};
/** The buttons beside the choice of a model in the incumbent, by what it saves for them. */
const MODEL_BUTTONS = ["upload3dmodel", "uploadExtraResources", "clear"];
const CONTROL = "control_after_generate";
export const CONTROLS = ["fixed", "increment", "decrement", "randomize"] as const;

export function isWidget(input: InputSchema): boolean {
  if (input.section === "hidden" || input.options.forceInput === true) return false;
  const { plugin_widget, socketless, widgetType: stated } = input.options;
  if (plugin_widget !== undefined || socketless === true) return true;
  return WIDGETS.has(widgetType(input)) || (typeof stated === "string" && stated !== "");
}

/** Whether it is a random seed; such inputs have more than one name. */
export function isSeed(input: InputSchema): boolean {
  return input.type === "INT" && SEEDS.has(input.name);
}

export function isSocket(input: InputSchema): boolean {
  return input.section !== "hidden" && !isWidget(input);
}

/** Whether it takes several of a list of choices. */
function takesMany({ options }: InputSchema): boolean {
  return options.multiselect === true || typeof options.multi_select === "object";
}

export function defaultOf(input: InputSchema): Json {
  const stated = input.options.default;
  if (input.type === "COMBO" || input.type === DYNAMIC_COMBO) {
    const choices = (input.type === "COMBO" ? input : comboOf(input)).choices ?? [];
    if (takesMany(input)) return Array.isArray(stated) ? (stated as Json) : [];
    // The choices of a remote combo are loaded later.
    const known = choices.includes(stated) || (choices.length === 0 && stated !== undefined);
    return (known ? stated : (choices[0] ?? "")) as Json;
  }
  return stated === undefined ? (EMPTY[widgetType(input)] ?? null) : (stated as Json);
}

/** The `python_module` of a class that is a subgraph of the document. */
export const SUBGRAPH = "subgraph";

/** Whether its values are those of inner widgets, saved without entries for seed control. */
export function isSubgraph(schema: NodeSchema | undefined): boolean {
  return schema?.python_module === SUBGRAPH;
}

/** The value where a node holds none: for a subgraph's widget, that of the inner widget. */
export function fallbackValue(input: InputSchema): Json {
  return "initialValue" in input.options ? (input.options.initialValue as Json) : defaultOf(input);
}

/** The name of the widget that sets what happens to this input before a run, if any. */
export function controlOf(schema: NodeSchema, input: InputSchema): string | null {
  if (isSubgraph(schema) || !isControlled(input)) return null;
  const index = schema.inputs.filter(isControlled).findIndex((each) => each.name === input.name);
  if (index < 0) return `${input.name}.${CONTROL}`;
  return index === 0 ? CONTROL : `${CONTROL}_${index + 1}`;
}

function isControlled(input: InputSchema): boolean {
  if (!isWidget(input)) return false;
  const stated = input.options[CONTROL];
  if (stated !== undefined && stated !== false) return true;
  return input.type === "INT" && SEEDS.has(input.name.split(".").at(-1) ?? "");
}

/** The initial seed control of a new node; the node's author may choose another one. */
function statedControl({ options }: InputSchema): Json {
  return CONTROLS.find((each) => each === options[CONTROL]) ?? "randomize";
}

const NONE: ReadonlySet<string> = new Set();
const layouts = new WeakMap<NodeSchema, readonly WidgetSlot[]>();

/** The entries of the saved list; `drawn` as in `WidgetLayout`. */
export function layoutOf(
  schema: NodeSchema,
  drawn: ReadonlySet<string> = NONE,
): readonly WidgetSlot[] {
  const inputs = isSubgraph(schema) ? schema.inputs : withDrawnFields(schema.inputs, drawn);
  if (inputs !== schema.inputs) return entriesFor(schema, inputs);
  const cached = layouts.get(schema);
  if (cached !== undefined) return cached;
  const made = isSubgraph(schema) ? [] : entriesFor(schema, schema.inputs);
  layouts.set(schema, made);
  return made;
}

function entriesFor(schema: NodeSchema, inputs: readonly InputSchema[]): WidgetSlot[] {
  return inputs.flatMap((input): WidgetSlot[] => {
    const { name, options } = input;
    if (input.section === "hidden" || input.type === AUTOGROW) return [];
    if (!isWidget(input)) {
      const forced = options.forceInput === true && WIDGETS.has(input.type);
      return forced ? [{ name, kind: "forced", default: null }] : [];
    }
    const value: WidgetSlot = { name, kind: "value", default: defaultOf(input) };
    if (input.type === DYNAMIC_COMBO) {
      const brings = optionsOf(input).map((each) => [each.key, entriesFor(schema, each.inputs)]);
      return [{ ...value, nested: Object.fromEntries(brings) }];
    }
    const control = controlOf(schema, input);
    return [
      value,
      ...(control === null
        ? []
        : [{ name: control, kind: "control", default: statedControl(input) } as const]),
      ...uploadEntries(options, schema),
    ];
  });
}

/** The upload button has an entry in the saved list too. */
function uploadEntries(options: InputSchema["options"], schema: NodeSchema): WidgetSlot[] {
  if (options.image_upload === true || options.video_upload === true) {
    return [{ name: "upload", kind: "extra", default: "image" }];
  }
  if (options.audio_upload === true) {
    return ["audioUI", "upload"].map((name) => ({ name, kind: "extra", default: null }));
  }
  if (options.file_upload === true) {
    const names = schema.inputs.some(isView) ? MODEL_BUTTONS : ["upload"];
    return names.map((name) => ({ name, kind: "extra", default: names.length > 1 ? name : null }));
  }
  return [];
}

/** A new node with default values. */
export function newNode(schema: NodeSchema, id: number, at: Point, width: number): GraphNode {
  const layout = entriesOf(layoutOf(schema), {});
  const size = { width, height: 0 };
  return {
    ...blankNode(id, schema.class_type, at, size),
    inputs: inputsOf(schema)
      .filter(isSocket)
      .map(({ name, type, section }) => ({
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
      ...blankSaved(id, schema.class_type, at, size),
      properties: { "Node name for S&R": schema.class_type },
      widgets_values_named: {},
    },
  };
}

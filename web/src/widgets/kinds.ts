/** The kind of field of an input, by its type and its author's options. */
import type { InputSchema } from "../api/types";
import type { Marker } from "./boxes";
import { hexOf } from "./color";
import type { Range, Whole } from "./number";
import type { MediaKind } from "./services";

type FieldKind =
  | "number"
  | "toggle"
  | "combo"
  | "many"
  | "media"
  | "text"
  | "prompt"
  | "lines"
  | "color"
  | "curve"
  | "marks"
  | "remote"
  | "rare";

const BY_TYPE: Readonly<Record<string, FieldKind>> = {
  INT: "number",
  FLOAT: "number",
  BOOLEAN: "toggle",
  COLOR: "color",
  CURVE: "curve",
  BOUNDING_BOX: "marks",
  BOUNDING_BOXES: "marks",
  POINTS: "marks",
  PAINTER: "rare",
  WEBCAM: "rare",
};
const BY_DISPLAY: Readonly<Record<string, FieldKind>> = {
  color: "color",
  curve: "curve",
  points: "marks",
  boxes: "marks",
};

function typeOf({ type, options }: InputSchema): string {
  const stated = options.widgetType;
  return typeof stated === "string" && stated !== "" ? stated : type;
}

export function kindOf(input: InputSchema, value: unknown): FieldKind {
  const { options } = input;
  const type = typeOf(input);
  const displayed = BY_DISPLAY[String(options.display)];
  if (displayed !== undefined && type !== "COMBO") return displayed;
  const known = BY_TYPE[type];
  if (known !== undefined) return known;
  if (type === "COMBO") return comboKind(input);
  const texts = Array.isArray(value) && value.every((each) => typeof each === "string");
  if (type === "STRING") return options.multiline === true ? promptKind(input) : "text";
  return texts ? "lines" : kindOfValue(type, value);
}

/** A field for a type of a plugin's own, by what the value is; any value can be JSON. */
function kindOfValue(type: string, value: unknown): FieldKind {
  switch (typeof value) {
    case "boolean":
      return "toggle";
    case "number":
    case "bigint":
      return "number";
    case "string":
      return /colou?r/i.test(type) && hexOf(value) !== null ? "color" : "text";
    default:
      return "rare";
  }
}

function comboKind(input: InputSchema): FieldKind {
  const { options } = input;
  if (options.multiselect === true || typeof options.multi_select === "object") return "many";
  if (mediaOf(input) !== null) return "media";
  return typeof options.remote === "object" && options.remote !== null ? "remote" : "combo";
}

/** Text for a text encoder gets a prompt field; any other long text a plain one. */
function promptKind({ name, options }: InputSchema): FieldKind {
  const prompts = options.dynamicPrompts === true || /text|prompt|positive|negative/i.test(name);
  return prompts ? "prompt" : "lines";
}

/** The kind of file an input takes; null if it takes none. */
function mediaOf({ options }: InputSchema): MediaKind | null {
  if (options.image_upload === true) return "image";
  if (options.video_upload === true) return "video";
  if (options.audio_upload === true) return "audio";
  return options.file_upload === true ? "file" : null;
}

export function markerOf(input: InputSchema): Marker {
  const type = typeOf(input);
  if (type === "BOUNDING_BOX") return "box";
  return type === "POINTS" || input.options.display === "points" ? "points" : "boxes";
}

export function rangeOf(input: InputSchema): Range {
  const { options } = input;
  const whole = typeOf(input) === "INT";
  const number = (value: unknown, otherwise: Whole): Whole =>
    typeof value === "number" || typeof value === "bigint" ? value : otherwise;
  return {
    min: number(options.min, whole ? -(2 ** 31) : -1e9),
    max: number(options.max, whole ? 2 ** 31 : 1e9),
    step: Number(number(options.step, whole ? 1 : 0.05)) || (whole ? 1 : 0.05),
    whole,
    round: typeof options.round === "number" ? options.round : 0,
  };
}

/** A choice as text. */
export function shownChoice(value: unknown): string {
  return value == null ? "" : String(value);
}

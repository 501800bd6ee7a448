/**
 * What an edit is called. Kept as its English sentence, with the values of its placeholders, and put
 * into words where it is shown: the language may have changed since.
 */
import { isObject, parseJson, writeJson } from "./json";

export type EditLabel = string | FilledLabel;

interface FilledLabel {
  /** The English sentence, with its placeholders. */
  readonly key: string;
  readonly values: Readonly<Record<string, string>>;
}

/** A label with values for its placeholders. */
export function labelOf(key: string, values: Readonly<Record<string, string>>): EditLabel {
  return { key, values };
}

/** The English sentence of a label, with its placeholders. */
export function keyOfLabel(label: EditLabel): string {
  return typeof label === "string" ? label : label.key;
}

export function isSameLabel(one: EditLabel, other: EditLabel): boolean {
  return writtenLabel(one) === writtenLabel(other);
}

/** A label as text, for a list that is kept elsewhere. */
export function writtenLabel(label: EditLabel): string {
  return typeof label === "string" ? label : writeJson({ key: label.key, values: label.values });
}

/** Reads what `writtenLabel` wrote; any other text is a label as it is. */
export function readLabel(text: string): EditLabel {
  if (!text.startsWith("{")) return text;
  try {
    const read = parseJson(text);
    if (!isObject(read) || typeof read.key !== "string" || !isObject(read.values)) return text;
    const values = Object.entries(read.values).map(([name, value]) => [name, String(value)]);
    return { key: read.key, values: Object.fromEntries(values) };
  } catch {
    // Not ours: it is shown as it is.
    return text;
  }
}

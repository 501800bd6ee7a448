/** Extracts the document that a picture, video, sound or model was made with from its file. */

import { HttpError } from "../../api/transport";
import { isObject, type Json, parseJson } from "../../document/json";
import { kindOf, NotAWorkflowError } from "../../document/read";
import { client } from "../session/server";
import type { Texts } from "./bytes";
import { jsonIn, parsedJson, textsIn } from "./texts";

interface Found {
  value: Json;
  /**
   * For a graph made from a text: the parts of the text that the graph lacks. Null for an embedded
   * graph.
   */
  left: readonly string[] | null;
}

/**
 * The file's own document or embedded one: a workflow, else a prompt, else a graph made from the
 * text of another program. Null for none of these. Throws `NotAWorkflowError` for a JSON file that
 * is not a workflow, or that cannot be read.
 */
export async function documentIn(file: File): Promise<Found | null> {
  const json = await jsonIn(file);
  if (json !== null) return { value: documentOf(json, file.name), left: null };
  const texts = await textsIn(file);
  for (const text of [texts.workflow, texts.prompt]) {
    const value = parsedJson(text);
    if (kindOf(value) !== null && !isTooDeep(value)) return { value, left: null };
  }
  return converted(texts);
}

/** Under which keywords other programs write how a file was made. */
const FOREIGN = ["invokeai_metadata", "sd-metadata", "parameters", "comment"];

/** The graph that the server makes of another program's texts; null if it recognizes none. */
async function converted(texts: Texts): Promise<Found | null> {
  const found = FOREIGN.flatMap((keyword) => {
    const text = texts[keyword];
    return text === undefined ? [] : [[keyword, text]];
  });
  if (found.length === 0) return null;
  try {
    const { prompt, left } = await client.convertTexts(Object.fromEntries(found));
    return { value: prompt as Json, left };
  } catch (error) {
    if (error instanceof HttpError && error.status === 400) return null;
    throw error;
  }
}

function documentOf(text: string, name: string): Json {
  let value: Json;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new NotAWorkflowError("{{name}} is not JSON.", { name });
  }
  if (isTooDeep(value)) {
    throw new NotAWorkflowError("{{name}} is nested too deeply to be a workflow.", { name });
  }
  const found = unwrapped(value);
  if (found === null) throw new NotAWorkflowError("{{name}} contains no workflow.", { name });
  return found;
}

/** A document, or the one inside an object, as clients send and store them. */
function unwrapped(value: Json): Json | null {
  const inside = isObject(value) ? [value.workflow ?? null, value.prompt ?? null] : [];
  return [value, ...inside].find((each) => kindOf(each) !== null) ?? null;
}

/** The nesting limit, as on the server: documents are also compared and written recursively. */
const MAX_DEPTH = 200;

function isTooDeep(value: Json): boolean {
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((each) =>
      typeof each === "object" && each !== null ? Object.values(each) : [],
    );
  }
  return false;
}

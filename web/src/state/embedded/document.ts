/** Extracts the document that a picture, video, sound or model was made with from its file. */
import { isObject, type Json, parseJson } from "../../document/json";
import { kindOf, NotAWorkflowError } from "../../document/read";
import { client } from "../server";
import { schemaOf } from "../studio";
import { type BuiltPrompt, promptOf, readParameters, type ServerChoices } from "./parameters";
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
  const read = readParameters(texts.parameters ?? "");
  if (read === null) return null;
  const { prompt, left }: BuiltPrompt = promptOf(read, await serverChoices());
  return { value: prompt, left };
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

async function serverChoices(): Promise<ServerChoices> {
  return {
    has: (type) => schemaOf(type) !== undefined,
    choices: (type, input) => {
      const described = schemaOf(type)?.inputs.find(({ name }) => name === input);
      return (described?.choices ?? []).filter((each) => typeof each === "string");
    },
    embeddings: await client.embeddings(),
  };
}

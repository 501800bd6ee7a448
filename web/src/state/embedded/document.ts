/** The document that a picture, a film, a sound or a model was made with, out of the file itself. */
import type { Json } from "../../document/json";
import { kindOf } from "../../document/read";
import { client } from "../server";
import { schemaOf } from "../studio";
import { type Built, type Known, promptOf, readParameters } from "./parameters";
import { parsedJson, textsIn } from "./texts";

export interface Found {
  value: Json;
  /** Of a graph made from a text: what of it is not in the graph. Null for a graph as it was. */
  left: readonly string[] | null;
}

/** A workflow, else a prompt, else what the text of another program describes. */
export async function documentIn(file: Blob): Promise<Found | null> {
  const texts = await textsIn(file);
  for (const text of [texts.workflow, texts.prompt]) {
    const value = parsedJson(text);
    if (kindOf(value) !== null) return { value, left: null };
  }
  const read = readParameters(texts.parameters ?? "");
  if (read === null) return null;
  const { prompt, left }: Built = promptOf(read, await known());
  return { value: prompt, left };
}

async function known(): Promise<Known> {
  return {
    has: (type) => schemaOf(type) !== undefined,
    choices: (type, input) => {
      const described = schemaOf(type)?.inputs.find(({ name }) => name === input);
      return (described?.choices ?? []).filter((each) => typeof each === "string");
    },
    embeddings: await client.embeddings(),
  };
}

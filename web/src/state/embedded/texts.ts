/**
 * Reads how a file was made: pictures, videos, sounds and models store it in different places.
 * Detects the format by content, not by name; makes no requests; a damaged file gives no texts.
 */
import { isObject, type Json, parseJson, writeJson } from "../../document/json";
import { textsOfFilm } from "./boxes";
import { latin, MAX_READ, readBytes, startsWith, type Texts, textOf, viewOf } from "./bytes";
import { textsOfMatroska } from "./matroska";
import { textsOfAvif, textsOfJpeg, textsOfWebp } from "./pictures";
import { isPng, textsOfPng } from "./png";
import { textsOfFlac, textsOfMp3, textsOfOgg } from "./sounds";

type Reader = (file: Blob) => Promise<Texts>;

/**
 * Texts by lower-case keyword: `workflow` and `prompt` are graphs, `parameters` is A1111's text.
 */
export async function textsIn(file: Blob): Promise<Texts> {
  const head = await readBytes(file, 0, 64);
  const texts = (await readerFor(head)?.(file)) ?? {};
  // Some programs write both graphs as one object in the file's comment.
  const { workflow, prompt } = pairIn(parsedJson(texts.comment));
  if (workflow !== undefined) texts.workflow ??= workflow;
  if (prompt !== undefined) texts.prompt ??= prompt;
  return texts;
}

/** The text of a JSON file, recognized by its name or first character; null for any other file. */
export async function jsonIn(file: File): Promise<string | null> {
  const head = await readBytes(file, 0, 64);
  const isNamed = /\.json$/i.test(file.name.trim());
  const isModel = head[8] === 0x7b && head[9] === 0x22;
  if (!isNamed && (isModel || !/^\ufeff?\s*[{[]/.test(decoded(head)))) return null;
  // A power failure can leave zeros after the written part of a file.
  return decoded(new Uint8Array(await file.arrayBuffer())).replace(/[\0\s]+$/, "");
}

/**
 * Decodes UTF-8, or UTF-16 recognized by its byte order mark or the zeros between Latin letters.
 */
function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) {
    return new TextDecoder("utf-16le").decode(bytes);
  }
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) {
    return new TextDecoder("utf-16be").decode(bytes);
  }
  return textOf(bytes);
}

function readerFor(head: Uint8Array): Reader | null {
  if (isPng(head)) return async (file) => textsOfPng(await readBytes(file, 0, MAX_READ));
  if (startsWith(head, "RIFF") && startsWith(head, "WEBP", 8)) return textsOfWebp;
  if (startsWith(head, "\xff\xd8\xff")) return textsOfJpeg;
  if (startsWith(head, "ftyp", 4)) {
    return /avi[fs]|mif1|hei[cs]/.test(latin(head.subarray(8, 32))) ? textsOfAvif : textsOfFilm;
  }
  if (startsWith(head, "\x1aE\xdf\xa3")) return textsOfMatroska;
  if (startsWith(head, "fLaC")) return textsOfFlac;
  if (startsWith(head, "OggS")) return textsOfOgg;
  if (startsWith(head, "ID3")) return textsOfMp3;
  if (startsWith(head, "glTF")) return textsOfGlb;
  if (/^\ufeff?\s*<(\?xml|svg|!)/i.test(textOf(head))) return textsOfSvg;
  return head[8] === 0x7b ? textsOfSafetensors : null;
}

async function textsOfGlb(file: Blob): Promise<Texts> {
  const head = await readBytes(file, 12, 8);
  if (head.length < 8 || !startsWith(head, "JSON", 4)) return {};
  const root = parsedJson(textOf(await readBytes(file, 20, viewOf(head).getUint32(0, true))));
  const asset = isObject(root) ? root.asset : null;
  return pairIn(isObject(asset) ? asset.extras : null);
}

async function textsOfSafetensors(file: Blob): Promise<Texts> {
  const length = viewOf(await readBytes(file, 0, 8)).getBigUint64(0, true);
  if (length > BigInt(MAX_READ)) return {};
  const header = parsedJson(textOf(await readBytes(file, 8, Number(length))));
  return pairIn(isObject(header) ? header.__metadata__ : null);
}

const [OPEN, CLOSE] = ["<![CDATA[", "]]>"];

async function textsOfSvg(file: Blob): Promise<Texts> {
  const text = textOf(await readBytes(file, 0, MAX_READ));
  const metadata = text.indexOf("<metadata");
  const from = metadata < 0 ? -1 : text.indexOf(OPEN, metadata);
  const to = from < 0 ? -1 : text.indexOf(CLOSE, from);
  return to < 0 ? {} : pairIn(parsedJson(text.slice(from + OPEN.length, to)));
}

function pairIn(value: unknown): Texts {
  const texts: Texts = {};
  if (!isObject(value)) return texts;
  if ("nodes" in value) return { workflow: writeJson(value) };
  for (const keyword of ["workflow", "prompt"]) {
    const found = value[keyword];
    if (typeof found === "string") texts[keyword] = found;
    else if (isObject(found)) texts[keyword] = writeJson(found);
  }
  const entries = Object.values(value).filter((each) => isObject(each) && "class_type" in each);
  if (Object.keys(texts).length === 0 && entries.length > 0) {
    const kept = Object.entries(value).filter(([, each]) => entries.includes(each));
    texts.prompt = writeJson(Object.fromEntries(kept));
  }
  return texts;
}

/** Null for text that is not JSON, and for JSON nested too deeply. */
export function parsedJson(text: string | undefined): Json {
  if (text === undefined) return null;
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

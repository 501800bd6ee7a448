/** The texts in the chunks of a PNG, including an animated one. */
import { addText, latin, MAX_READ, type Texts, textOf, viewOf } from "./bytes";
import { textsOfExif } from "./exif";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((each, index) => bytes[index] === each);
}

/** Reads `tEXt`, `zTXt`, `iTXt`, `comf` and `eXIf` chunks; damaged ones are skipped. */
export async function textsOfPng(bytes: Uint8Array): Promise<Texts> {
  const texts: Texts = {};
  if (!isPng(bytes)) return texts;
  const view = viewOf(bytes);
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = latin(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length || kind === "IEND") break;
    const found = await pairOf(kind, body);
    if (found !== null) addText(texts, found[0], found[1]);
    if (kind === "eXIf") {
      for (const [keyword, text] of Object.entries(textsOfExif(body)))
        addText(texts, keyword, text);
    }
    at += 12 + length;
  }
  return texts;
}

const TEXTS: ReadonlySet<string> = new Set(["tEXt", "comf", "zTXt", "iTXt"]);

async function pairOf(kind: string, body: Uint8Array): Promise<[string, string] | null> {
  const end = TEXTS.has(kind) ? body.indexOf(0) : -1;
  if (end < 1) return null;
  const keyword = latin(body.subarray(0, end));
  if (kind === "tEXt" || kind === "comf") return [keyword, textOf(body.subarray(end + 1))];
  if (kind === "zTXt") {
    const text = await inflated(body.subarray(end + 2));
    return text === null ? null : [keyword, textOf(text)];
  }
  const compressed = body[end + 1] === 1;
  const language = body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0) return null;
  const rest = body.subarray(translated + 1);
  const text = compressed ? await inflated(rest) : rest;
  return text === null ? null : [keyword, textOf(text)];
}

/** Null for damaged data, and for data that would expand beyond the read limit. */
async function inflated(bytes: Uint8Array): Promise<Uint8Array | null> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      if (length > MAX_READ) {
        await reader.cancel();
        return null;
      }
    }
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The texts that a picture carries. Reads PNG chunks in the browser, and asks nobody. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((each, index) => bytes[index] === each);
}

/** `tEXt`, `zTXt` and `iTXt` chunks by keyword; what is damaged is passed over. */
export async function textsOfPng(bytes: Uint8Array): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  if (!isPng(bytes)) return texts;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const kind = latin(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length || kind === "IEND") break;
    if (kind === "tEXt" || kind === "zTXt" || kind === "iTXt") {
      const found = await textOf(kind, body);
      if (found !== null) texts[found[0]] ??= found[1];
    }
    at += 12 + length;
  }
  return texts;
}

async function textOf(kind: string, body: Uint8Array): Promise<[string, string] | null> {
  const end = body.indexOf(0);
  if (end < 1) return null;
  const keyword = latin(body.subarray(0, end));
  if (kind === "tEXt") return [keyword, latin(body.subarray(end + 1))];
  if (kind === "zTXt") {
    const text = await inflated(body.subarray(end + 2));
    return text === null ? null : [keyword, latin(text)];
  }
  const compressed = body[end + 1] === 1;
  const language = body.indexOf(0, end + 3);
  const translated = language < 0 ? -1 : body.indexOf(0, language + 1);
  if (translated < 0) return null;
  const rest = body.subarray(translated + 1);
  const text = compressed ? await inflated(rest) : rest;
  return text === null ? null : [keyword, new TextDecoder().decode(text)];
}

async function inflated(bytes: Uint8Array): Promise<Uint8Array | null> {
  try {
    const stream = new Blob([bytes.slice()])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** The tags of WebM and Matroska videos. */
import { addText, MAX_PARTS, readBytes, type Texts, textOf, viewOf } from "./bytes";

const SEGMENT = 0x18538067;
const TAGS = 0x1254c367;
const TAG = 0x7373;
const PAIR = 0x67c8;
const NAME = 0x45a3;
const TEXT = 0x4487;

interface Head {
  id: number;
  /** Null where the file does not state it, as in one that was streamed. */
  length: number | null;
  size: number;
}

export async function textsOfMatroska(file: Blob): Promise<Texts> {
  const texts: Texts = {};
  let at = 0;
  for (let part = 0; part < MAX_PARTS && at < file.size; part += 1) {
    const head = headOf(await readBytes(file, at, 12));
    if (head === null) break;
    at += head.size;
    if (head.id === SEGMENT) continue;
    if (head.length === null) break;
    if (head.id === TAGS) keepTags(texts, await readBytes(file, at, head.length));
    at += head.length;
  }
  return texts;
}

function keepTags(texts: Texts, bytes: Uint8Array): void {
  for (const [, tag] of elements(bytes, TAG)) {
    for (const [, pair] of elements(tag, PAIR)) {
      const parts = new Map(elements(pair));
      const [name, text] = [parts.get(NAME), parts.get(TEXT)];
      if (name !== undefined && text !== undefined) addText(texts, textOf(name), textOf(text));
    }
  }
}

function elements(bytes: Uint8Array, wanted?: number): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  let at = 0;
  while (at < bytes.length && found.length < MAX_PARTS) {
    const head = headOf(bytes.subarray(at, at + 12));
    if (head === null || head.length === null) break;
    at += head.size;
    const body = bytes.subarray(at, at + head.length);
    if (wanted === undefined || head.id === wanted) found.push([head.id, body]);
    at += head.length;
  }
  return found;
}

/** Variable-length integers: an id includes the bit that marks its length, a size does not. */
function headOf(bytes: Uint8Array): Head | null {
  const marks = Math.clz32(bytes[0] ?? 0) - 23;
  const lengths = Math.clz32(bytes[marks] ?? 0) - 23;
  if (marks > 4 || lengths > 8 || marks + lengths > bytes.length) return null;
  let id = 0;
  for (let index = 0; index < marks; index += 1) id = id * 256 + (bytes[index] ?? 0);
  let length = BigInt(viewOf(bytes).getUint8(marks) & ((1 << (8 - lengths)) - 1));
  for (let index = 1; index < lengths; index += 1) {
    length = length * 256n + BigInt(bytes[marks + index] ?? 0);
  }
  const open = length === (1n << BigInt(7 * lengths)) - 1n;
  return { id, length: open ? null : Number(length), size: marks + lengths };
}

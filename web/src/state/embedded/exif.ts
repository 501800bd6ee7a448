/** The texts in an EXIF block: `keyword:text` in the first directory, and the user comment. */
import { addText, latin, startsWith, type Texts, textOf, untilNul, viewOf } from "./bytes";

const PREFIX = "Exif\0\0";
const TEXT = 2;
const NUMBERS = 4;
const DIRECTORY = 0x8769;
const COMMENT = 0x9286;
const KEYWORD = /^([A-Za-z][\w-]{0,63}):/;

interface Entry {
  tag: number;
  kind: number;
  bytes: Uint8Array;
}

export function textsOfExif(block: Uint8Array): Texts {
  const tiff = startsWith(block, PREFIX) ? block.subarray(PREFIX.length) : block;
  const texts: Texts = {};
  const order = latin(tiff.subarray(0, 2));
  if (tiff.length < 8 || (order !== "II" && order !== "MM")) return texts;
  const little = order === "II";
  const view = viewOf(tiff);
  for (const { tag, kind, bytes } of entriesAt(tiff, view.getUint32(4, little), little)) {
    if (kind === TEXT) {
      const text = textOf(untilNul(bytes));
      const keyword = KEYWORD.exec(text)?.[1];
      if (keyword !== undefined) addText(texts, keyword, text.slice(keyword.length + 1));
    }
    if (tag === DIRECTORY && kind === NUMBERS) {
      const place = viewOf(bytes).getUint32(0, little);
      const comment = entriesAt(tiff, place, little).find((each) => each.tag === COMMENT);
      if (comment !== undefined) keepComment(texts, commentOf(comment.bytes));
    }
  }
  return texts;
}

/** A comment is the text of A1111 and related programs or, from some services, the graph itself. */
function keepComment(texts: Texts, comment: string): void {
  addText(texts, comment.trimStart().startsWith("{") ? "comment" : "parameters", comment);
}

const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1 };

function entriesAt(tiff: Uint8Array, place: number, little: boolean): Entry[] {
  const view = viewOf(tiff);
  if (place + 2 > tiff.length) return [];
  const entries: Entry[] = [];
  const count = view.getUint16(place, little);
  for (let index = 0; index < count; index += 1) {
    const at = place + 2 + index * 12;
    if (at + 12 > tiff.length) break;
    const kind = view.getUint16(at + 2, little);
    const length = view.getUint32(at + 4, little) * (SIZES[kind] ?? 0);
    const from = length <= 4 ? at + 8 : view.getUint32(at + 8, little);
    if (length === 0 || from + length > tiff.length) continue;
    const bytes = tiff.subarray(from, from + length);
    entries.push({ tag: view.getUint16(at, little), kind, bytes });
  }
  return entries;
}

function commentOf(bytes: Uint8Array): string {
  const text = bytes.subarray(8);
  if (!startsWith(bytes, "UNICODE")) return textOf(untilNul(text));
  // The standard leaves the byte order open; the zero bytes of Latin letters show it.
  let zeros = 0;
  for (let at = 0; at + 1 < Math.min(text.length, 512); at += 2) {
    zeros += (text[at] === 0 ? 1 : 0) - (text[at + 1] === 0 ? 1 : 0);
  }
  const order = zeros < 0 ? "utf-16le" : "utf-16be";
  return new TextDecoder(order).decode(text).replace(/\0+$/, "");
}

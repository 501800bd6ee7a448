/** Finds the EXIF block in WebP, JPEG and AVIF pictures. */
import { type Box, boxesIn } from "./boxes";
import {
  addText,
  latin,
  MAX_PARTS,
  readBytes,
  startsWith,
  type Texts,
  textOf,
  viewOf,
} from "./bytes";
import { textsOfExif } from "./exif";

export async function textsOfWebp(file: Blob): Promise<Texts> {
  let at = 12;
  for (let part = 0; part < MAX_PARTS && at + 8 <= file.size; part += 1) {
    const head = await readBytes(file, at, 8);
    const length = viewOf(head).getUint32(4, true);
    if (startsWith(head, "EXIF")) return textsOfExif(await readBytes(file, at + 8, length));
    at += 8 + length + (length % 2);
  }
  return {};
}

const START_OF_SCAN = 0xda;
const APPLICATION = 0xe1;
const COMMENT = 0xfe;

export async function textsOfJpeg(file: Blob): Promise<Texts> {
  const texts: Texts = {};
  let at = 2;
  for (let part = 0; part < MAX_PARTS && at + 4 <= file.size; part += 1) {
    const head = await readBytes(file, at, 4);
    const [mark, kind] = head;
    const length = viewOf(head).getUint16(2);
    if (mark !== 0xff || kind === START_OF_SCAN || length < 2) break;
    if (kind === APPLICATION || kind === COMMENT) {
      const body = await readBytes(file, at + 4, length - 2);
      const found = kind === COMMENT ? { comment: textOf(body) } : textsOfExif(body);
      for (const [keyword, text] of Object.entries(found)) addText(texts, keyword, text);
    }
    at += 2 + length;
  }
  return texts;
}

/** Reads the item of type `Exif` at the location that the item list states. */
export async function textsOfAvif(file: Blob): Promise<Texts> {
  const meta = await metaOf(file);
  if (meta === null) return {};
  const boxes = boxesIn(meta, 4);
  const named = boxes.find(({ kind }) => kind === "iinf");
  const placed = boxes.find(({ kind }) => kind === "iloc");
  const item = named === undefined ? null : exifItem(named);
  const place = item === null || placed === undefined ? null : placeOf(placed.body, item);
  if (place === null) return {};
  const block = await readBytes(file, place.at, place.length);
  if (block.length < 4) return {};
  return textsOfExif(block.subarray(4 + viewOf(block).getUint32(0)));
}

async function metaOf(file: Blob): Promise<Uint8Array | null> {
  let at = 0;
  for (let part = 0; part < 64 && at + 8 <= file.size; part += 1) {
    const head = await readBytes(file, at, 8);
    const length = viewOf(head).getUint32(0);
    if (length < 8) return null;
    if (startsWith(head, "meta", 4)) return readBytes(file, at + 8, length - 8);
    at += length;
  }
  return null;
}

function exifItem({ body }: Box): number | null {
  const wide = (body[0] ?? 0) > 0;
  for (const each of boxesIn(body, wide ? 8 : 6)) {
    if (each.kind !== "infe" || each.body.length < 12) continue;
    const long = (each.body[0] ?? 0) >= 3;
    const kind = latin(each.body.subarray(long ? 10 : 8, long ? 14 : 12));
    const view = viewOf(each.body);
    if (kind === "Exif") return long ? view.getUint32(4) : view.getUint16(4);
  }
  return null;
}

/** The first extent of an item, for items stored in the file itself. */
function placeOf(body: Uint8Array, item: number): { at: number; length: number } | null {
  const version = body[0] ?? 0;
  let at = 6;
  const take = (size: number): number => {
    let value = 0;
    for (let index = 0; index < size; index += 1) value = value * 256 + (body[at + index] ?? 0);
    at += size;
    return value;
  };
  const [sizes, more] = [body[4] ?? 0, body[5] ?? 0];
  const count = take(version < 2 ? 2 : 4);
  for (let index = 0; index < count && at < body.length; index += 1) {
    const id = take(version < 2 ? 2 : 4);
    const method = version > 0 ? take(2) & 15 : 0;
    take(2);
    const base = take(more >> 4);
    const extents = take(2);
    for (let extent = 0; extent < extents && at < body.length; extent += 1) {
      if (version > 0) take(more & 15);
      const offset = take(sizes >> 4);
      const length = take(sizes & 15);
      if (id === item) return method === 0 ? { at: base + offset, length } : null;
    }
  }
  return null;
}

/** Parses the boxes of MP4 and related formats, and the texts in those of a video. */
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

export interface Box {
  kind: string;
  body: Uint8Array;
}

/** The consecutive boxes in these bytes, up to the first damaged one. */
export function boxesIn(bytes: Uint8Array, from = 0): Box[] {
  const view = viewOf(bytes);
  const boxes: Box[] = [];
  let at = from;
  while (at + 8 <= bytes.length && boxes.length < MAX_PARTS) {
    const length = view.getUint32(at) || bytes.length - at;
    if (length < 8 || at + length > bytes.length) break;
    const kind = latin(bytes.subarray(at + 4, at + 8));
    boxes.push({ kind, body: bytes.subarray(at + 8, at + length) });
    at += length;
  }
  return boxes;
}

export async function textsOfFilm(file: Blob): Promise<Texts> {
  let at = 0;
  for (let part = 0; part < MAX_PARTS && at + 8 <= file.size; part += 1) {
    const head = await readBytes(file, at, 16);
    const view = viewOf(head);
    const short = view.getUint32(0);
    const wide = short === 1 && head.length === 16;
    const length = wide ? Number(view.getBigUint64(8)) : short || file.size - at;
    if (length < 8) break;
    if (startsWith(head, "moov", 4)) return textsOfMovie(await readBytes(file, at + 8, length - 8));
    at += length;
  }
  return {};
}

function textsOfMovie(movie: Uint8Array): Texts {
  const texts: Texts = {};
  const top = boxesIn(movie);
  const below = top.filter(({ kind }) => kind === "udta").flatMap(({ body }) => boxesIn(body));
  for (const { kind, body } of [...top, ...below]) {
    if (kind !== "meta") continue;
    // In QuickTime the boxes follow at once, in MPEG-4 after four bytes of version and flags.
    const boxes = boxesIn(body, startsWith(body, "hdlr", 4) ? 0 : 4);
    const names = keysOf(boxes.find((each) => each.kind === "keys")?.body);
    for (const item of boxesIn(boxes.find((each) => each.kind === "ilst")?.body ?? EMPTY)) {
      const name = item.kind === "\xa9cmt" ? "comment" : names[placeNamed(item.kind) - 1];
      const data = boxesIn(item.body).find((each) => each.kind === "data");
      if (name !== undefined && data !== undefined)
        addText(texts, name, textOf(data.body.subarray(8)));
    }
  }
  return texts;
}

/** Items are named by the index of their key, as a number in the four bytes of the name. */
function placeNamed(kind: string): number {
  return [...kind].reduce((value, letter) => value * 256 + letter.charCodeAt(0), 0);
}

const EMPTY = new Uint8Array();

function keysOf(body: Uint8Array = EMPTY): string[] {
  return boxesIn(body, 8).map((each) => textOf(each.body));
}

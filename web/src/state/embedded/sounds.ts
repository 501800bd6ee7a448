/** The texts in sound files: Vorbis comments of FLAC and Ogg, ID3 tags of MP3. */
import { addText, MAX_PARTS, readBytes, startsWith, type Texts, textOf, viewOf } from "./bytes";

const COMMENTS = 4;

export async function textsOfFlac(file: Blob): Promise<Texts> {
  let at = 4;
  for (let part = 0; part < MAX_PARTS && at + 4 <= file.size; part += 1) {
    const head = viewOf(await readBytes(file, at, 4)).getUint32(0);
    const length = head & 0xffffff;
    if (((head >>> 24) & 0x7f) === COMMENTS)
      return vorbisComments(await readBytes(file, at + 4, length));
    if (head >>> 31 === 1) break;
    at += 4 + length;
  }
  return {};
}

/** The comments are in the second packet of a stream, which may span several pages. */
export async function textsOfOgg(file: Blob): Promise<Texts> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  let packet = 0;
  for (let page = 0; page < MAX_PARTS && packet < 2 && at + 27 <= file.size; page += 1) {
    const head = await readBytes(file, at, 27 + 255);
    if (!startsWith(head, "OggS")) break;
    const lengths = head.subarray(27, 27 + (head[26] ?? 0));
    at += 27 + lengths.length;
    for (const length of lengths) {
      if (packet === 1) parts.push((await readBytes(file, at, length)).slice());
      at += length;
      if (length < 255) packet += 1;
    }
  }
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  if (startsWith(bytes, "OpusTags")) return vorbisComments(bytes.subarray(8));
  return startsWith(bytes, "\x03vorbis") ? vorbisComments(bytes.subarray(7)) : {};
}

function vorbisComments(bytes: Uint8Array): Texts {
  const texts: Texts = {};
  const view = viewOf(bytes);
  const take = (at: number) => (at + 4 <= bytes.length ? view.getUint32(at, true) : 0);
  let at = 4 + take(0);
  const count = Math.min(take(at), MAX_PARTS);
  at += 4;
  for (let index = 0; index < count && at + 4 <= bytes.length; index += 1) {
    const text = textOf(bytes.subarray(at + 4, at + 4 + take(at)));
    const sign = text.indexOf("=");
    if (sign > 0) addText(texts, text.slice(0, sign), text.slice(sign + 1));
    at += 4 + take(at);
  }
  return texts;
}

const TAG_HEAD = 10;
const SPLIT = 0x80;
const EXTENDED = 0x40;

export async function textsOfMp3(file: Blob): Promise<Texts> {
  const head = await readBytes(file, 0, TAG_HEAD);
  const [version, flags] = [head[3] ?? 0, head[5] ?? 0];
  const texts: Texts = {};
  if (head.length < TAG_HEAD || version < 3) return texts;
  let tag = await readBytes(file, TAG_HEAD, sevenBits(head, 6));
  if ((flags & SPLIT) !== 0 && version === 3) tag = joined(tag);
  const lengthAt = (at: number) => (version === 3 ? viewOf(tag).getUint32(at) : sevenBits(tag, at));
  let at = 0;
  if ((flags & EXTENDED) !== 0 && tag.length >= 4) at = lengthAt(0) + (version === 3 ? 4 : 0);
  for (let part = 0; part < MAX_PARTS && at + TAG_HEAD <= tag.length; part += 1) {
    const length = lengthAt(at + 4);
    const body = tag.subarray(at + TAG_HEAD, at + TAG_HEAD + length);
    if (startsWith(tag, "TXXX", at)) keepPair(texts, body);
    if (length === 0) break;
    at += TAG_HEAD + length;
  }
  return texts;
}

function sevenBits(bytes: Uint8Array, at: number): number {
  return [0, 1, 2, 3].reduce((value, each) => value * 128 + ((bytes[at + each] ?? 0) & 0x7f), 0);
}

/**
 * Removes ID3's unsynchronisation: the zeros inserted so that players do not mistake the tag for
 * sound.
 */
function joined(bytes: Uint8Array): Uint8Array {
  return bytes.filter((each, index) => each !== 0 || bytes[index - 1] !== 0xff);
}

const ENCODINGS = ["latin1", "utf-16", "utf-16be", "utf-8"] as const;

function keepPair(texts: Texts, body: Uint8Array): void {
  const kind = body[0] ?? 0;
  const encoding = ENCODINGS[kind];
  if (encoding === undefined) return;
  const swapped = kind === 1 && body[1] === 0xfe && body[2] === 0xff;
  const wide = encoding === "utf-16" || encoding === "utf-16be";
  const words = wide
    ? new TextDecoder(swapped ? "utf-16be" : encoding).decode(body.subarray(1))
    : textOf(body.subarray(1));
  const [name = "", text = ""] = words.split("\0");
  addText(texts, name, text.replace(/^\ufeff/, ""));
}

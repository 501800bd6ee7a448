/**
 * The PNG of a mask as the server expects it, opaque where nothing is masked. Written row by row of
 * tiles (PNG, third edition, W3C 2025): a canvas of a large picture would take four bytes per pixel.
 */
import { bytesOf } from "./raster";
import { type Mask, TILE } from "./tiles";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
/** Eight bits of grey and of opacity: colour type 4. */
const FORMAT = [8, 4, 0, 0, 0];

export async function pngOf(mask: Mask): Promise<Blob> {
  const packed = new CompressionStream("deflate");
  const written = writeRows(mask, packed.writable.getWriter());
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = packed.readable.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read())
    parts.push(...chunk("IDAT", read.value));
  await written;
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, mask.width);
  new DataView(header.buffer).setUint32(4, mask.height);
  header.set(FORMAT, 8);
  const start = [Uint8Array.from(SIGNATURE), ...chunk("IHDR", header)];
  return new Blob([...start, ...parts, ...chunk("IEND", new Uint8Array())], { type: "image/png" });
}

async function writeRows(
  mask: Mask,
  writer: WritableStreamDefaultWriter<BufferSource>,
): Promise<void> {
  const { width, height } = mask;
  for (let top = 0; top < height; top += TILE) {
    const bottom = Math.min(height, top + TILE);
    const bytes = bytesOf(mask, { left: 0, top, right: width, bottom });
    for (let y = 0; y < bottom - top; y += ROWS) {
      const count = Math.min(ROWS, bottom - top - y);
      await writer.write(rowsOf(bytes.subarray(y * width, (y + count) * width), width));
    }
  }
  await writer.close();
}

/** Rows that are packed at once, between which the page can answer. */
const ROWS = 16;

/** Rows of the file: each begins with its filter, which is none. */
function rowsOf(bytes: Uint8ClampedArray, width: number): Uint8Array<ArrayBuffer> {
  const rows = new Uint8Array((bytes.length / width) * (1 + width * 2));
  let to = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (at % width === 0) to += 1;
    rows[to + 1] = 255 - (bytes[at] ?? 0);
    to += 2;
  }
  return rows;
}

function chunk(name: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, data.length);
  head.set(
    [...name].map((each) => each.charCodeAt(0)),
    4,
  );
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, checksum(head.subarray(4), data));
  return [head, data, tail];
}

/** The CRC-32 of a chunk's name and data. */
function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0xffffffff;
  for (const part of parts) {
    for (const each of part) sum = (sum >>> 8) ^ (CRCS[(sum ^ each) & 0xff] ?? 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

/** The CRC of each byte. */
const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

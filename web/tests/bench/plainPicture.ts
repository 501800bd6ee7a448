/** A PNG of two colours, left and right, of any size. */
import { crc32, deflateSync } from "node:zlib";

const LEFT = [48, 96, 192];
const RIGHT = [192, 96, 48];

export function plainPicture(side: number): Buffer {
  const row = Buffer.alloc(1 + side * 3);
  for (let x = 0; x < side; x += 1) row.set(x < side / 2 ? LEFT : RIGHT, 1 + x * 3);
  const rows = Buffer.concat(Array.from({ length: side }, () => row));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows, { level: 1 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

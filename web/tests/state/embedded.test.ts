/** Metadata in files of every kind, including hostile ones. */
import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { textsIn } from "../../src/state/embedded/texts";

const WORKFLOW = '{"nodes":[]}';
const PROMPT = '{"1":{"class_type":"A","inputs":{}}}';
const BOTH = { workflow: WORKFLOW, prompt: PROMPT };

const AVIF =
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAAEsbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAA" +
  "AAAAAAAOcGl0bQAAAAAAAQAAACxpbG9jAAAAAEQAAAIAAQAAAAEAAAHGAAAAJAACAAAAAQAAAVQAAAByAAAAQWlpbmYAAAAAAAIA" +
  "AAAaaW5mZQIAAAAAAQAAYXYwMUNvbG9yAAAAABlpbmZlAgAAAAACAABFeGlmRXhpZgAAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEA" +
  "AQAAAGppcHJwAAAAS2lwY28AAAAUaXNwZQAAAAAAAAAQAAAAEAAAABBwaXhpAAAAAAMICAgAAAAMYXYxQ4EADAAAAAATY29scm5j" +
  "bHgAAQANAAaAAAAAF2lwbWEAAAAAAAAAAQABBAECgwQAAACebWRhdAAAAAZFeGlmAABNTQAqAAAACAACAQ8AAgAAABYAAAAmARAA" +
  "AgAAACwAAAA8AAAAAHdvcmtmbG93Onsibm9kZXMiOltdfQBwcm9tcHQ6eyIxIjp7ImNsYXNzX3R5cGUiOiJBIiwiaW5wdXRzIjp7" +
  "fX19ABIACgkYDP/aICGg0IAyFR/3h4UV3///4sAAAHV9WbwKma6VeA==";

const bytes = (...parts: (string | Uint8Array | number[])[]) =>
  Buffer.concat(
    parts.map((each) =>
      typeof each === "string" ? Buffer.from(each, "latin1") : Buffer.from(each),
    ),
  );
const big = (value: number, size = 4) => {
  const found = Buffer.alloc(size);
  found.writeUIntBE(value, 0, size);
  return found;
};
const little = (value: number) => {
  const found = Buffer.alloc(4);
  found.writeUInt32LE(value);
  return found;
};
const box = (kind: string | Buffer, ...parts: (string | Uint8Array | number[])[]) => {
  const body = bytes(...parts);
  return bytes(big(body.length + 8), kind, body);
};

function exif(order: "II" | "MM", entries: [number, string][], prefix = ""): Buffer {
  const write = (value: number, size: number) => {
    const found = Buffer.alloc(size);
    if (order === "II") found.writeUIntLE(value, 0, size);
    else found.writeUIntBE(value, 0, size);
    return found;
  };
  let place = 8 + 2 + entries.length * 12 + 4;
  const heads: Buffer[] = [];
  const bodies: Buffer[] = [];
  for (const [tag, text] of entries) {
    const body = bytes(text, [0]);
    heads.push(bytes(write(tag, 2), write(2, 2), write(body.length, 4), write(place, 4)));
    bodies.push(body);
    place += body.length;
  }
  return bytes(
    prefix,
    order,
    write(42, 2),
    write(8, 4),
    write(entries.length, 2),
    ...heads,
    write(0, 4),
    ...bodies,
  );
}

const TAGS: [number, string][] = [
  [0x10f, `workflow:${WORKFLOW}`],
  [0x110, `prompt:${PROMPT}`],
];
const chunk = (kind: string, body: Buffer) =>
  bytes(kind, little(body.length), body, body.length % 2 ? [0] : []);
const webp = (...chunks: Buffer[]) =>
  bytes("RIFF", little(0), "WEBP", chunk("VP8X", bytes("123")), ...chunks);

const comments = bytes(
  little(1),
  "x",
  little(2),
  ...[`PROMPT=${PROMPT}`, `workflow=${WORKFLOW}`].flatMap((each) => [little(each.length), each]),
);

function ogg(packets: Buffer[]): Buffer {
  return bytes(
    ...packets.map((packet) => {
      const whole = Math.floor(packet.length / 255);
      const lengths = [...Array<number>(whole).fill(255), packet.length % 255];
      return bytes("OggS", Buffer.alloc(22), [lengths.length], lengths, packet);
    }),
  );
}

const data = (text: string) => box("data", big(1), big(0), text);
const film = (version: number[]) =>
  bytes(
    box("ftyp", "isom"),
    box("mdat", Buffer.alloc(40)),
    box(
      "moov",
      box("mvhd", Buffer.alloc(20)),
      box(
        "udta",
        box(
          "meta",
          version,
          box("hdlr", Buffer.alloc(25)),
          box("keys", big(0), big(2), box("mdta", "prompt"), box("mdta", "workflow")),
          box("ilst", box(big(1), data(PROMPT)), box(big(2), data(WORKFLOW))),
        ),
      ),
    ),
  );

const element = (id: number, size: number, ...parts: (string | Uint8Array)[]) => {
  const body = bytes(...parts);
  return bytes(big(id, size), [0x10], big(body.length, 3), body);
};
const pair = (name: string, text: string) =>
  element(0x67c8, 2, element(0x45a3, 2, name), element(0x4487, 2, text));
const matroska = bytes(
  element(0x1a45dfa3, 4, "head"),
  big(0x18538067),
  [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  element(0x1549a966, 4, "info"),
  element(0x1254c367, 4, element(0x7373, 2, pair("PROMPT", PROMPT), pair("WORKFLOW", WORKFLOW))),
);

const sevens = (value: number) => [
  value >> 21,
  (value >> 14) & 127,
  (value >> 7) & 127,
  value & 127,
];
function mp3(version: 3 | 4): Buffer {
  const frames = bytes(
    ...Object.entries(BOTH).map(([name, text]) => {
      const body = bytes([3], name, [0], text);
      return bytes("TXXX", version === 3 ? big(body.length) : sevens(body.length), [0, 0], body);
    }),
  );
  return bytes("ID3", [version, 0, 0], sevens(frames.length), frames);
}

const png = (...chunks: Buffer[]) => bytes("\x89PNG\r\n\x1a\n", ...chunks);
const part = (kind: string, body: Buffer) => bytes(big(body.length), kind, body, big(0));
const header = JSON.stringify({ __metadata__: BOTH });
const extras = JSON.stringify({
  asset: { extras: { workflow: { nodes: [] }, prompt: JSON.parse(PROMPT) } },
});

const FILES: Readonly<Record<string, Buffer>> = {
  "PNG, before the picture": png(
    part("tEXt", bytes("workflow\0", WORKFLOW)),
    part("zTXt", bytes("prompt\0\0", deflateSync(PROMPT))),
  ),
  "animated PNG": png(
    part("IDAT", bytes("1234")),
    part("comf", bytes("workflow\0", WORKFLOW)),
    part("comf", bytes("prompt\0", PROMPT)),
  ),
  WebP: webp(chunk("EXIF", exif("II", TAGS))),
  "WebP with a prefix": webp(chunk("EXIF", exif("MM", TAGS, "Exif\0\0"))),
  JPEG: bytes(
    [0xff, 0xd8, 0xff, 0xe0],
    big(6, 2),
    "JFIF",
    [0xff, 0xe1],
    big(exif("II", TAGS).length + 8, 2),
    exif("II", TAGS, "Exif\0\0"),
  ),
  AVIF: Buffer.from(AVIF, "base64"),
  MP4: film([0, 0, 0, 0]),
  MOV: film([]),
  WebM: matroska,
  FLAC: bytes("fLaC", [0], big(34, 3), Buffer.alloc(34), [0x84], big(comments.length, 3), comments),
  Opus: ogg([bytes("OpusHead"), bytes("OpusTags", comments), Buffer.alloc(300)]),
  Vorbis: ogg([bytes("\x01vorbis"), bytes("\x03vorbis", comments)]),
  "MP3 of version 3": mp3(3),
  "MP3 of version 4": mp3(4),
  SVG: bytes(`<svg xmlns="a"><metadata><![CDATA[${JSON.stringify(BOTH)}]]></metadata></svg>`),
  GLB: bytes("glTF", big(2), big(0), little(extras.length), "JSON", extras),
  safetensors: bytes(little(header.length), little(0), header, Buffer.alloc(8)),
};

describe("graphs in files", () => {
  test.each(Object.entries(FILES))("%s", async (_, file) => {
    const { workflow, prompt } = await textsIn(new Blob([new Uint8Array(file)]));
    expect({ workflow, prompt }).toEqual(BOTH);
  });

  test("a comment that holds both is taken apart", async () => {
    const comment = `comment=${JSON.stringify({ workflow: { nodes: [] }, prompt: PROMPT })}`;
    const vorbis = bytes(little(0), little(1), little(comment.length), comment);
    const flac = bytes("fLaC", [0x84], big(vorbis.length, 3), vorbis);
    expect(await textsIn(new Blob([new Uint8Array(flac)]))).toMatchObject(BOTH);
  });

  test("cut or damaged, they end and do no harm", async () => {
    let seed = 7;
    const random = (end: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % end;
    };
    for (const file of Object.values(FILES)) {
      for (let round = 0; round < 60; round += 1) {
        const broken = new Uint8Array(file);
        for (let each = 0; each < 4; each += 1) {
          broken[random(broken.length)] = [0, 255, 1, 127, random(256)][random(5)] ?? 0;
        }
        const cut = round % 3 === 0 ? broken.slice(0, random(broken.length)) : broken;
        expect(typeof (await textsIn(new Blob([cut])))).toBe("object");
      }
    }
  });

  test.each([
    ["as UTF-8, against the standard", Buffer.from("狐狸 im Schnee ❄", "utf8"), "狐狸 im Schnee ❄"],
    ["as Latin-1, as the standard has it", Buffer.from("Füchsin", "latin1"), "Füchsin"],
  ])("a PNG's texts %s", async (_, text, read) => {
    const compressed = deflateSync(text);
    const file = png(
      part("tEXt", bytes("parameters\0", text)),
      part("zTXt", bytes("comment\0\0", compressed)),
      part("tEXt", bytes("workflow\0", '{"nodes":[],"title":"', text, '"}')),
    );
    const texts = await textsIn(new Blob([new Uint8Array(file)]));
    expect(texts).toEqual({
      parameters: read,
      comment: read,
      workflow: `{"nodes":[],"title":"${read}"}`,
    });
  });

  test("a JPEG's comment and the tag of an MP3 are read the same way", async () => {
    const comment = Buffer.from('{"workflow":{"nodes":[],"title":"狐"}}', "utf8");
    const jpeg = bytes([0xff, 0xd8, 0xff, 0xfe], big(comment.length + 2, 2), comment);
    const { workflow } = await textsIn(new Blob([new Uint8Array(jpeg)]));
    expect(workflow).toBe('{"nodes":[],"title":"狐"}');
    const pair = bytes([0], "prompt\0", Buffer.from("狐", "utf8"));
    const frame = bytes("TXXX", big(pair.length), [0, 0], pair);
    const mp3 = bytes("ID3", [3, 0, 0], [0, 0, 0, frame.length], frame);
    expect(await textsIn(new Blob([new Uint8Array(mp3)]))).toEqual({ prompt: "狐" });
  });

  test("a text that unfolds without end is let be", async () => {
    const bomb = png(
      part("zTXt", bytes("prompt\0\0", deflateSync(Buffer.alloc(40 * 1024 * 1024)))),
    );
    expect(await textsIn(new Blob([new Uint8Array(bomb)]))).toEqual({});
  });
});

const TEXT = `a cat, [dull] (sharp:1.2) <lora:ink:0.8>
on two lines
Negative prompt: EasyNegative, blurry
Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 18446744073709551615, Size: 832x1216, Model hash: 1234, Model: Real_Photo, Clip skip: 2, Lora hashes: "ink: 12, other: 13", Version: v1.10`;

describe("the text of A1111 and Forge", () => {
  test("is found in the user's comment of EXIF, in either order of bytes", async () => {
    for (const order of ["utf16le", "utf16be"] as const) {
      const text = Buffer.from(TEXT, "utf16le");
      if (order === "utf16be") text.swap16();
      const comment = bytes("UNICODE\0", text);
      const block = bytes(
        "Exif\0\0MM",
        [0, 42],
        big(8),
        [0, 1],
        [0x87, 0x69, 0, 4],
        big(1),
        big(26),
        big(0),
        [0, 1],
        [0x92, 0x86, 0, 7],
        big(comment.length),
        big(44),
        big(0),
        comment,
      );
      const jpeg = bytes([0xff, 0xd8, 0xff, 0xe1], big(block.length + 2, 2), block);
      expect((await textsIn(new Blob([new Uint8Array(jpeg)]))).parameters).toBe(TEXT);
    }
  });
});

/** A cube as a GLB file: its front red, its right side green, its top blue, the others grey. */

const COLOURS = [
  [0.4, 0.4, 0.4],
  [0, 0.8, 0],
  [0.4, 0.4, 0.4],
  [0, 0, 0.8],
  [0.4, 0.4, 0.4],
  [0.8, 0, 0],
] as const;

/** `moves`: with an animation of a second, in which it rises out of the picture. */
export function cubeFile(moves = false): Uint8Array<ArrayBuffer> {
  const places: number[] = [];
  const colours: number[] = [];
  const indices: number[] = [];
  for (let side = 0; side < 6; side += 1) {
    const [axis, sign] = [side >> 1, (side & 1) * 2 - 1];
    for (const [u, v] of [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ]) {
      const place = [0, 0, 0];
      place[axis] = sign;
      place[(axis + 1) % 3] = u ?? 0;
      place[(axis + 2) % 3] = v ?? 0;
      places.push(...place);
      colours.push(...(COLOURS[side] ?? []));
    }
    const order = sign > 0 ? [0, 1, 2, 0, 2, 3] : [0, 2, 1, 0, 3, 2];
    indices.push(...order.map((each) => side * 4 + each));
  }
  const parts = [new Float32Array(places), new Float32Array(colours), new Uint32Array(indices)];
  return moves
    ? packed([...parts, new Float32Array([0, 1]), new Float32Array([0, 0, 0, 0, 9, 0])], MOTION)
    : packed(parts, []);
}

const MOTION = [
  {
    name: "rise",
    samplers: [{ input: 3, output: 4 }],
    channels: [{ sampler: 0, target: { node: 0, path: "translation" } }],
  },
];
const MOTION_ACCESSORS = [
  { bufferView: 3, componentType: 5126, count: 2, type: "SCALAR", min: [0], max: [1] },
  { bufferView: 4, componentType: 5126, count: 2, type: "VEC3" },
];

function packed(
  parts: readonly (Float32Array | Uint32Array)[],
  animations: readonly object[],
): Uint8Array<ArrayBuffer> {
  let length = 0;
  const bufferViews = parts.map(({ byteLength }) => {
    const view = { buffer: 0, byteOffset: length, byteLength };
    length += byteLength;
    return view;
  });
  const vertices = { componentType: 5126, count: 24, type: "VEC3" };
  const document = {
    asset: { version: "2.0" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0, COLOR_0: 1 }, indices: 2 }] }],
    accessors: [
      { bufferView: 0, ...vertices, min: [-1, -1, -1], max: [1, 1, 1] },
      { bufferView: 1, ...vertices },
      { bufferView: 2, componentType: 5125, count: 36, type: "SCALAR" },
      ...(animations.length > 0 ? MOTION_ACCESSORS : []),
    ],
    ...(animations.length > 0 ? { animations } : {}),
    bufferViews,
    buffers: [{ byteLength: length }],
  };
  const text = new TextEncoder().encode(JSON.stringify(document));
  const padded = Math.ceil(text.length / 4) * 4;
  const file = new Uint8Array(28 + padded + length);
  const numbers = new DataView(file.buffer);
  const words = [0x46546c67, 2, file.length, padded, 0x4e4f534a];
  for (const [at, word] of words.entries()) numbers.setUint32(at * 4, word, true);
  file.fill(0x20, 20, 20 + padded).set(text, 20);
  numbers.setUint32(20 + padded, length, true);
  numbers.setUint32(24 + padded, 0x004e4942, true);
  let at = 28 + padded;
  for (const part of parts) {
    file.set(new Uint8Array(part.buffer), at);
    at += part.byteLength;
  }
  return file;
}

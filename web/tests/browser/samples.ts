/** Minimal files for uploads. */

/** Half a second of silence at 8 kHz. */
export function tone(): Buffer {
  const bytes = Buffer.alloc(44 + 4000, 128);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(8000, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(4000, 40);
  return bytes;
}

/** One grey pixel. */
export const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

export interface Put {
  type: string;
  values?: unknown[];
  inputs?: unknown[];
  outputs?: unknown[];
}

/** A workflow of these nodes in a row. */
export function workflowOf(nodes: readonly Put[]) {
  return {
    last_node_id: nodes.length,
    last_link_id: 0,
    nodes: nodes.map(({ type, values, inputs = [], outputs = [] }, index) => ({
      id: index + 1,
      type,
      pos: [index * 380, 0],
      size: [320, 0],
      mode: 0,
      inputs,
      outputs,
      ...(values === undefined ? {} : { widgets_values: values }),
    })),
    links: [],
    version: 0.4,
  };
}

/** Binary frames of the socket: previews of what a node is doing. */

export interface Preview {
  /** The node it belongs to; null where the frame does not name one. */
  node: string | null;
  prompt: string | null;
  image: Blob;
}

const PREVIEW = 1;
const PREVIEW_WITH_METADATA = 4;
const MIME: Readonly<Record<number, string>> = { 1: "image/jpeg", 2: "image/png" };

/** Parses a frame; null for an unknown kind or a truncated frame. */
export function readFrame(frame: ArrayBuffer): Preview | null {
  if (frame.byteLength < 8) return null;
  const view = new DataView(frame);
  const [kind, second] = [view.getUint32(0), view.getUint32(4)];
  if (kind === PREVIEW) {
    return { node: null, prompt: null, image: blobOf(frame.slice(8), MIME[second]) };
  }
  if (kind !== PREVIEW_WITH_METADATA || frame.byteLength < 8 + second) return null;
  const metadata = objectOf(new TextDecoder().decode(frame.slice(8, 8 + second)));
  return {
    node: textOf(metadata.display_node_id) ?? textOf(metadata.node_id),
    prompt: textOf(metadata.prompt_id),
    image: blobOf(frame.slice(8 + second), textOf(metadata.image_type) ?? undefined),
  };
}

function blobOf(bytes: ArrayBuffer, type = "image/jpeg"): Blob {
  return new Blob([bytes], { type });
}

function objectOf(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Media types by file extension: how files are shown, and which inputs take them. */

/** `file`: any file, which no field shows. */
export type MediaKind = "image" | "video" | "audio" | "model" | "file";

const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  avif: "image/avif",
  gif: "image/gif",
  bmp: "image/bmp",
  tif: "image/tiff",
  tiff: "image/tiff",
  mp4: "video/mp4",
  webm: "video/webm",
  mkv: "video/x-matroska",
  mov: "video/quicktime",
  avi: "video/x-msvideo",
  m4v: "video/x-m4v",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  m4a: "audio/mp4",
  aac: "audio/aac",
  glb: "model/gltf-binary",
  gltf: "model/gltf+json",
  obj: "model/obj",
  stl: "model/stl",
  fbx: "model/fbx",
  json: "application/json",
  txt: "text/plain",
};
const KINDS: readonly MediaKind[] = ["image", "video", "audio", "model"];
/** Types that no browser displays. */
const UNSHOWN: ReadonlySet<string> = new Set(["image/tiff", "video/x-msvideo"]);

export function mediaTypeOf(name: string): string {
  return TYPES[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream";
}

export function kindOfFile(name: string): MediaKind | null {
  const type = mediaTypeOf(name);
  return KINDS.find((kind) => type.startsWith(`${kind}/`)) ?? null;
}

/** The kind as which the page can display a file; null for none. */
export function shownKindOf(name: string): MediaKind | null {
  return UNSHOWN.has(mediaTypeOf(name)) ? null : kindOfFile(name);
}

/** Whether an input of this kind takes a file of this name. */
export function isOfKind(name: string, kind: MediaKind): boolean {
  if (kind === "file") return true;
  // Animated pictures count as videos for inputs that take videos.
  return kindOfFile(name) === kind || (kind === "video" && mediaTypeOf(name) === "image/gif");
}

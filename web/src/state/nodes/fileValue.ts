/** Files as widget values: `folder/name.png`, or `name.png [output]` for another root folder. */
import type { ImageFile } from "../../api/jobs";
import type { InputSchema } from "../../api/types";
import type { MediaKind } from "./mediaTypes";

/** The kind of file an input takes; null for none. */
export function mediaOf({ type, options }: InputSchema): MediaKind | null {
  const isDrawn = type === "WEBCAM" || options.widgetType === "PAINTER";
  if (options.image_upload === true || isDrawn) return "image";
  if (options.video_upload === true) return "video";
  if (options.audio_upload === true) return "audio";
  return options.file_upload === true ? "file" : null;
}

export function fileOf(value: unknown, place = "input"): ImageFile | null {
  if (typeof value !== "string" || value === "") return null;
  const [, path = value, type = place] = /^(.*?)(?: ?\[(input|output|temp)\])?$/.exec(value) ?? [];
  const slash = path.lastIndexOf("/");
  return { filename: path.slice(slash + 1), subfolder: path.slice(0, Math.max(slash, 0)), type };
}

/** The value that names a file; a root folder other than the widget's own is appended. */
export function namedValue({ filename, subfolder, type }: ImageFile, place = "input"): string {
  const path = subfolder === "" ? filename : `${subfolder}/${filename}`;
  return type === place ? path : `${path} [${type}]`;
}

/** The root folder of a widget's plain values. */
export function placeOfValues({ options }: InputSchema): string {
  return typeof options.image_folder === "string" ? options.image_folder : "input";
}

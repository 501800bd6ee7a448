/**
 * Before a run, the pictures of models that nodes take as they are looked at: drawn, uploaded as
 * temporary files, and named in the prompt. The document does not change.
 */
import { viewUrl } from "../../api/client";
import type { NodeSchema } from "../../api/types";
import { uploadFile } from "../../api/upload";
import { isObject } from "../../document/json";
import { t } from "../../words/words";
import { isView } from "../nodes/fieldTypes";
import { fileOf, mediaOf, namedValue } from "../nodes/fileValue";
import { mediumOf } from "../outcomes/outputs";
import { schemaOf } from "../session/studio";
import { errorText } from "../session/view";

type Prompt = Readonly<Record<string, unknown>>;

const SIDE = 1024;

/** The prompt with such pictures; nodes that take none stay as they are. */
export async function withModelPictures(prompt: Prompt): Promise<Record<string, unknown>> {
  const changed: Record<string, unknown> = { ...prompt };
  for (const [id, node] of Object.entries(prompt)) {
    if (!isObject(node) || !isObject(node.inputs)) continue;
    const schema = schemaOf(String(node.class_type));
    const name = schema?.inputs.find(isView)?.name;
    if (schema === undefined || name === undefined) continue;
    const value = await picturesFor(schema, node.inputs, name);
    if (value !== null) changed[id] = { ...node, inputs: { ...node.inputs, [name]: value } };
  }
  return changed;
}

/** The value of a view with its pictures; null where the node takes none, or its file is linked. */
async function picturesFor(
  schema: NodeSchema,
  inputs: Readonly<Record<string, unknown>>,
  name: string,
): Promise<object | null> {
  const given = schema.inputs.find((each) => mediaOf(each) === "file");
  const file = fileOf(inputs[given?.name ?? ""]);
  const isDrawn = schema.outputs.some((each) => each.type === "IMAGE");
  if (!isDrawn || file === null || mediumOf(file) !== "model") return null;
  try {
    const { capture } = await import("../../model/capture");
    const model = { url: viewUrl(file), name: file.filename };
    const [width, height] = [sideOf(inputs.width), sideOf(inputs.height)];
    const { camera, pictures } = await capture(model, inputs[name], width, height);
    const names: Record<string, string> = {};
    for (const [kind, picture] of Object.entries(pictures)) {
      names[kind] = await stored(picture, `load3d_${kind}_${await digestOf(picture)}.png`);
    }
    return { ...(inputs[name] as object), ...names, camera_info: camera };
  } catch (error) {
    throw new Error(
      t("The pictures of {{name}} could not be drawn: {{reason}}", {
        name: file.filename,
        reason: errorText(error),
      }),
    );
  }
}

/** The same picture gets the same name, so that what was computed of it is still valid. */
async function stored(picture: Blob, name: string): Promise<string> {
  const file = new File([picture], name, { type: picture.type });
  const { signal } = new AbortController();
  const uploaded = await uploadFile(file, { onProgress: () => undefined, signal, type: "temp" });
  return namedValue(uploaded);
}

/** FNV-1a; the browser's own digests are there on secure pages only. */
async function digestOf(picture: Blob): Promise<string> {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(await picture.arrayBuffer())) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

function sideOf(value: unknown): number {
  const side = Number(value);
  return Number.isInteger(side) && side >= 1 && side <= 4096 ? side : SIDE;
}

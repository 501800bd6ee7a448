/** Handles dropped, pasted or chosen files: opens documents, and loads pictures into nodes. */

import { uploadFile } from "../../api/upload";
import type { Point } from "../../document/graph";
import { NotAWorkflowError } from "../../document/read";
import { t } from "../../words/words";
import { addFileToLists } from "../catalog/lists";
import { placeNodeWithValues } from "../editing/actions";
import { documentIn } from "../embedded/document";
import { openDocument } from "../embedded/prompt";
import { namedValue } from "../nodes/fileValue";
import { kindOfFile } from "../nodes/mediaTypes";
import { type Place, schemaOf } from "../session/studio";
import { notify, notifyError } from "../session/view";
import { notifyDamage } from "./damage";

const OFFSET = 40;

/**
 * Opens all files. Pictures are placed side by side in the given document, which need not be active
 * any more once a file was read and uploaded.
 */
export async function openEach(
  files: readonly File[],
  place: Place,
  at: Point | null,
): Promise<void> {
  for (const [index, file] of files.entries()) {
    await openOne(file, place, at && { x: at.x + index * OFFSET, y: at.y + index * OFFSET });
  }
}

/** A picture without a workflow becomes a node at the given point, if any. */
async function openOne(file: File, place: Place, at: Point | null): Promise<void> {
  try {
    const found = await documentIn(file);
    if (found !== null) {
      openDocument(found.value, file.name.replace(/\.[^.]+$/, ""));
      if (found.left !== null) notifyBuilt(file.name, found.left);
      else notifyDamage(found.value, file.name);
      return;
    }
    const isPicture = file.type.startsWith("image/") || kindOfFile(file.name) === "image";
    if (at === null || !isPicture)
      throw new NotAWorkflowError("{{name}} contains no workflow.", { name: file.name });
    await addPicture(file, place, at);
  } catch (error) {
    notifyError(error);
  }
}

function notifyBuilt(name: string, left: readonly string[]): void {
  notify(
    left.length === 0
      ? t("This graph was made from the text in {{name}}.", { name })
      : t("This graph was made from the text in {{name}}. Left out: {{parts}}.", {
          name,
          parts: left.join(", "),
        }),
  );
}

async function addPicture(file: File, place: Place, at: Point): Promise<void> {
  const schema = schemaOf("LoadImage");
  if (schema === undefined) throw new Error("This server has no node that loads images.");
  const { signal } = new AbortController();
  const uploaded = await uploadFile(file, { signal, onProgress: () => undefined });
  addFileToLists(uploaded, "image");
  placeNodeWithValues(place, schema, at, { image: namedValue(uploaded) });
}

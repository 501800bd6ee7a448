/** Painting a mask on a picture: which picture is open, and saving the mask. */

import { create } from "zustand";
import { viewUrl } from "../../api/client";
import type { ImageFile } from "../../api/jobs";
import type { InputSchema } from "../../api/types";
import type { GraphNode } from "../../document/graph";
import { t } from "../../words/words";
import { addFileToLists } from "../catalog/lists";
import { changeValueAt } from "../editing/actions";
import { fileOf, mediaOf, namedValue, placeOfValues } from "../nodes/fileValue";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { type Place, schemaOf } from "../session/studio";
import { notify } from "../session/view";

export interface MaskTarget {
  file: ImageFile;
  /** The input that gets the masked picture. */
  target: { place: Place; node: string; input: InputSchema };
}

export const useMasking = create<{ open: MaskTarget | null }>(() => ({ open: null }));

/** The input of a node that names a picture, if any. */
function pictureInput(node: GraphNode | undefined): InputSchema | null {
  const inputs = node === undefined ? [] : (schemaOf(node.type)?.inputs ?? []);
  return inputs.find((each) => mediaOf(each) === "image") ?? null;
}

export function canMask(editor: Editor): boolean {
  const { graph, selected } = editor.tab;
  return selected.length === 1 && pictureInput(graph.nodes[selected[0] ?? ""]) !== null;
}

/** Opens the mask editor for the picture that a node loads. */
export function maskNode(editor: Editor, key: string): void {
  const { id, level, graph } = editor.tab;
  const node = graph.nodes[key];
  const input = pictureInput(node);
  const file = input === null ? null : fileOf(node?.values[input.name], placeOfValues(input));
  if (input === null || file === null) {
    notify(t("This node has no image yet. Choose one first."));
    return;
  }
  useMasking.setState({ open: { file, target: { place: { id, level }, node: key, input } } });
}

/** The URLs of the picture without its mask, and of the mask alone (as opacity). */
export function pictureUrl({ file }: MaskTarget): string {
  return `${viewUrl(file)}&channel=rgb`;
}

export function opacityUrl({ file }: MaskTarget): string {
  return `${viewUrl(file)}&channel=a`;
}

/**
 * Uploads a mask with its picture, and sets the result on its node. `png` has the picture's size
 * and is opaque where nothing is masked.
 */
export async function saveMask(masked: MaskTarget, png: Blob): Promise<void> {
  const { file, target } = masked;
  const kept = await client.uploadMask(png, `masked-${Date.now()}.png`, file);
  addFileToLists(kept, "image");
  // The user closed the editor meanwhile, which cancels saving.
  if (useMasking.getState().open !== masked) return;
  const value = namedValue(kept, placeOfValues(target.input));
  changeValueAt(target.place, target.node, target.input.name, value);
  useMasking.setState({ open: null });
}

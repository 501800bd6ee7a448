/** Reproducing a result, whose code is loaded when it is first asked for. */
import type { Editor } from "../session/editor";
import { notifyError } from "../session/view";

/** Opens a result so that it can be made again; see `reproduceResult`. */
export function reproduce(editor: Editor, id: string): void {
  void import("./reproduce")
    .then((module) => module.reproduceResult(editor, id))
    .catch(notifyError);
}

/** Copies of nodes: to the clipboard as plain JSON, and duplicates beside the originals. */

import { isBoundary, type Point } from "../../document/graph";
import { isObject, type Json, type JsonObject, parseJson, writeJson } from "../../document/json";
import { kindOf } from "../../document/read";
import { copyNodes, pasteNodes } from "../../document/snippet";
import { t } from "../../words/words";
import { bodyAt, boundsOf, GRID, TITLE } from "../nodes/shape";
import type { Editor } from "../session/editor";
import { edit, layout, select } from "../session/studio";
import { notify, notifyError } from "../session/view";

/** The selected nodes as text for the clipboard; null where none is selected. */
export function selectionAsText(editor: Editor): string | null {
  const { selected } = editor.tab;
  const snippet = snippetOf(editor, selected);
  return snippet === null ? null : writeJson(snippet);
}

function snippetOf(editor: Editor, keys: readonly string[]): JsonObject | null {
  const { graph, workflow } = editor.tab;
  const copied = keys.filter((key) => !isBoundary(key));
  return copied.length === 0 ? null : copyNodes(graph, copied, workflow);
}

/** The contents of a clipboard, in the forms that browsers provide. */
interface ClipboardContent {
  text: string;
  html: string;
}

/** The nodes or the workflow in it; null for other contents. */
export function readClipboard({ text, html }: ClipboardContent): Json | null {
  const packed = /data-metadata="([A-Za-z0-9+/=]+)"/.exec(html)?.[1];
  const found = text.trimStart().startsWith("{")
    ? text
    : packed === undefined
      ? null
      : unpacked(packed);
  if (found === null) return null;
  try {
    const value = parseJson(found);
    return kindOf(value) === null ? null : value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

/** Decodes nodes that ComfyUI hides in HTML, so that other programs do not show them as text. */
function unpacked(base64: string): string | null {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)));
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** Whether it is a whole file, which has counters, rather than copied nodes. */
function isWhole(value: Json): boolean {
  if (kindOf(value) === "prompt") return true;
  return isObject(value) && ("last_node_id" in value || "state" in value);
}

/**
 * Pastes copied nodes. For a whole workflow the user is asked whether to open it instead. Throws
 * what `pasteNodes` throws.
 */
export function paste(
  editor: Editor,
  clipping: ClipboardContent,
  corner: Point,
  withLinks: boolean,
): void {
  const value = readClipboard(clipping);
  if (value === null) {
    notify(t("The clipboard contains no nodes."));
    return;
  }
  if (!isWhole(value)) {
    pasteValue(editor, value, corner, withLinks);
    return;
  }
  notify(
    t("The clipboard contains a whole workflow."),
    {
      label: t("Open in a tab"),
      run: () =>
        prompts().then(({ openDocument }) => openDocument(value, t("Pasted")), notifyError),
    },
    [
      {
        label: t("Insert here"),
        run: () =>
          prompts()
            .then(({ asWorkflow }) => pasteValue(editor, asWorkflow(value), corner, false))
            .catch(notifyError),
      },
    ],
  );
}

/** Loaded on first use: few paste a whole workflow. */
const prompts = () => import("../embedded/prompt");

/** Pastes copied nodes; throws what `pasteNodes` throws. */
export function pasteValue(editor: Editor, snippet: Json, corner: Point, withLinks: boolean): void {
  let keys: string[] = [];
  edit(editor, "Paste", (draft, workflow) => {
    keys = pasteNodes(draft, snippet, layout, bodyAt(corner), withLinks, workflow);
  });
  select(editor, keys);
}

export function duplicateSelected(editor: Editor): void {
  const { graph, selected } = editor.tab;
  const bounds = boundsOf(
    graph,
    selected.filter((key) => !isBoundary(key)),
  );
  if (bounds === null) return;
  duplicateAt(editor, selected, { x: bounds.x + 4 * GRID, y: bounds.y + TITLE + 4 * GRID });
}

/** Adds copies with the same sources; the top left one has its body at this place. */
export function duplicateAt(editor: Editor, nodes: readonly string[], at: Point): void {
  const snippet = snippetOf(editor, nodes);
  if (snippet === null) return;
  let keys: string[] = [];
  edit(editor, "Duplicate", (draft, workflow) => {
    keys = pasteNodes(draft, snippet, layout, at, true, workflow);
  });
  select(editor, keys);
}

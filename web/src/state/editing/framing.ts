/** The user's edits of frames; each is one entry of the log. */

import { encloses } from "../../document/arrange";
import { addGroup, changeGroup, removeGroup, removeNodes } from "../../document/edit";
import {
  contentsOf,
  FRAME_PADDING,
  FRAME_TITLE,
  fitFrame,
  fitToBoxes,
  frameAround,
  frameBox,
  frameBoxAround,
  frameOf,
  frameState,
  framesIn,
  setFrameCollapsed,
  toggleFrameMode,
} from "../../document/frames";
import type { Group } from "../../document/graph";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { edit, select } from "../session/studio";
import { useArranging } from "./arranging";
import { boxesOf } from "./boxes";

/**
 * The frame that commands act on: the selected one, else the one that contains the selected nodes.
 */
export function currentFrame(editor: Editor): Group | undefined {
  const { graph, selected } = editor.tab;
  const key = useArranging.getState().frame;
  const selectedFrame = key === null ? undefined : frameOf(graph, key);
  return selectedFrame ?? frameAround(graph, selected[0] ?? "");
}

export function setCurrentFrame(key: string | null): void {
  if (useArranging.getState().frame !== key) useArranging.setState({ frame: key });
}

/** Selects a frame and all nodes in it. */
export function selectFrame(editor: Editor, key: string): void {
  const { graph } = editor.tab;
  const group = frameOf(graph, key);
  if (group === undefined) return;
  select(editor, Object.keys(contentsOf(graph, group).nodes));
  setCurrentFrame(key);
}

const EMPTY = { width: 400, height: 280 };

/** Makes a frame around the selected nodes; without a selection, an empty one at the pointer. */
export function frameSelected(editor: Editor, title: string): string {
  const { graph, selected } = editor.tab;
  const nodes = [...boxesOf(editor, selected).values()];
  const bounds = frameBoxAround(nodes);
  // Frames whose contents are selected are included with their margins.
  const inner =
    bounds === null
      ? []
      : graph.groups.map(frameBox).filter((each) => encloses(enlarged(bounds), each));
  const box = frameBoxAround([...nodes, ...inner]);
  const handle = canvas();
  const at = handle?.toGraph(handle.pointer()) ?? { x: 0, y: 0 };
  const { x, y, width, height } = box ?? { ...at, ...EMPTY };
  const key = crypto.randomUUID();
  edit(editor, "Group", (draft) => {
    addGroup(draft, {
      key,
      title,
      position: { x, y },
      size: { width, height },
      color: null,
      saved: { title },
    });
  });
  setCurrentFrame(key);
  return key;
}

/** The box enlarged by the margin that a frame may have around its nodes. */
function enlarged({
  x,
  y,
  width,
  height,
}: {
  x: number;
  y: number;
  width: number;
  height: number;
}) {
  const [side, top] = [2 * FRAME_PADDING, 2 * FRAME_PADDING + FRAME_TITLE];
  return { x: x - side, y: y - top, width: width + 2 * side, height: height + side + top };
}

export function fitFrameToContents(editor: Editor, key: string): void {
  const { graph } = editor.tab;
  const boxes = boxesOf(editor, graph.order, true);
  edit(editor, "Fit the group to its contents", (draft) => fitFrame(draft, key, boxes));
}

/** Enlarges a frame so that it contains the selected nodes. */
export function addSelectedToFrame(editor: Editor, key: string): void {
  const boxes = [...boxesOf(editor, editor.tab.selected).values()];
  edit(editor, "Add to the group", (draft) => {
    const group = frameOf(draft, key);
    if (group === undefined) return;
    const inner = { x: FRAME_PADDING, y: FRAME_PADDING + FRAME_TITLE };
    const { position, size } = group;
    const now = {
      x: position.x + inner.x,
      y: position.y + inner.y,
      width: size.width - 2 * inner.x,
      height: size.height - inner.y - FRAME_PADDING,
    };
    fitToBoxes(group, [now, ...boxes]);
  });
}

export function toggleFrameCollapsed(editor: Editor, key: string): void {
  const { graph } = editor.tab;
  const group = frameOf(graph, key);
  if (group === undefined) return;
  const { collapsed } = frameState(group);
  edit(editor, collapsed ? "Unfold the group" : "Fold the group", (draft) =>
    setFrameCollapsed(draft, key, !collapsed),
  );
  if (!collapsed) select(editor, []);
}

export function setFrameMode(editor: Editor, key: string, mode: number, label: string): void {
  edit(editor, label, (draft) => toggleFrameMode(draft, key, mode));
}

export function paintFrame(
  editor: Editor,
  key: string,
  color: string | null,
  thread?: string,
): void {
  edit(editor, "Colour", (draft) => changeGroup(draft, key, { color }), thread);
}

export function renameFrame(editor: Editor, key: string, title: string): void {
  edit(editor, "Rename the group", (draft) => changeGroup(draft, key, { title }));
}

/** Removes a frame; its contents stay. */
export function dissolveFrame(editor: Editor, key: string): void {
  edit(editor, "Remove the group", (draft) => {
    setFrameCollapsed(draft, key, false);
    removeGroup(draft, key);
  });
  setCurrentFrame(null);
}

export function deleteFrame(editor: Editor, key: string): void {
  const { graph } = editor.tab;
  const group = frameOf(graph, key);
  if (group === undefined) return;
  const contents = contentsOf(graph, group);
  const inner = framesIn(graph, group).map((each) => each.key);
  edit(editor, "Delete the group and its contents", (draft) => {
    removeNodes(draft, Object.keys(contents.nodes));
    for (const each of [...inner, key]) removeGroup(draft, each);
  });
  select(editor, []);
  setCurrentFrame(null);
}

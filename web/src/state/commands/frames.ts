/** Commands for frames: the selected one, or the one that contains the selected nodes. */

import type { Group } from "../../document/graph";
import { MODE } from "../../document/graph";
import { t } from "../../words/words";
import {
  addSelectedToFrame,
  currentFrame,
  deleteFrame,
  dissolveFrame,
  fitFrameToContents,
  frameSelected,
  selectFrame,
  setFrameMode,
  toggleFrameCollapsed,
} from "../editing/framing";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab, select } from "../session/studio";

export const frameCommands: readonly Command[] = [
  {
    id: "frame.add",
    title: "Add an empty group",
    group: "Graph",
    run: () => {
      select(activeEditor(), []);
      frameSelected(activeEditor(), t("Group"));
    },
  },
  frame("collapse", "Fold the group", "Ctrl+Alt+C", ({ key }) =>
    toggleFrameCollapsed(activeEditor(), key),
  ),
  frame("bypass", "Bypass the group", "Ctrl+Alt+B", ({ key }) =>
    setFrameMode(activeEditor(), key, MODE.bypassed, "Bypass the group"),
  ),
  frame("mute", "Mute the group", "Ctrl+Alt+M", ({ key }) =>
    setFrameMode(activeEditor(), key, MODE.muted, "Mute the group"),
  ),
  frame("fit", "Fit the group to its contents", "Ctrl+Alt+F", ({ key }) =>
    fitFrameToContents(activeEditor(), key),
  ),
  frame("select", "Select all nodes of the group", "Ctrl+Alt+A", ({ key }) =>
    selectFrame(activeEditor(), key),
  ),
  {
    id: "frame.addSelected",
    title: "Extend the group to the selected nodes",
    group: "Graph",
    enabled: () => currentFrame(activeEditor()) !== undefined && activeTab().selected.length > 0,
    run: () => onFrame(({ key }) => addSelectedToFrame(activeEditor(), key)),
  },
  frame("dissolve", "Remove the group, keep its nodes", "Ctrl+Shift+G", ({ key }) =>
    dissolveFrame(activeEditor(), key),
  ),
  frame("delete", "Delete the group and its contents", null, ({ key }) =>
    deleteFrame(activeEditor(), key),
  ),
];

function frame(
  name: string,
  title: string,
  key: string | null,
  act: (group: Group) => void,
): Command {
  return {
    id: `frame.${name}`,
    title,
    group: "Graph",
    ...(key === null ? {} : { keys: [key] }),
    enabled: () => currentFrame(activeEditor()) !== undefined,
    run: () => onFrame(act),
  };
}

function onFrame(act: (group: Group) => void): void {
  const group = currentFrame(activeEditor());
  if (group !== undefined) act(group);
}

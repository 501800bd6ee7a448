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
import { activeTab, select } from "../session/studio";

export const frameCommands: readonly Command[] = [
  {
    id: "frame.add",
    title: "Add an empty group",
    group: "Graph",
    run: () => {
      select([]);
      frameSelected(t("Group"));
    },
  },
  frame("collapse", "Fold the group", "Ctrl+Alt+C", ({ key }) => toggleFrameCollapsed(key)),
  frame("bypass", "Bypass the group", "Ctrl+Alt+B", ({ key }) =>
    setFrameMode(key, MODE.bypassed, "Bypass the group"),
  ),
  frame("mute", "Mute the group", "Ctrl+Alt+M", ({ key }) =>
    setFrameMode(key, MODE.muted, "Mute the group"),
  ),
  frame("fit", "Fit the group to its contents", "Ctrl+Alt+F", ({ key }) => fitFrameToContents(key)),
  frame("select", "Select all nodes of the group", "Ctrl+Alt+A", ({ key }) => selectFrame(key)),
  {
    id: "frame.addSelected",
    title: "Extend the group to the selected nodes",
    group: "Graph",
    enabled: () => currentFrame() !== undefined && activeTab().selected.length > 0,
    run: () => onFrame(({ key }) => addSelectedToFrame(key)),
  },
  frame("dissolve", "Remove the group, keep its nodes", "Ctrl+Shift+G", ({ key }) =>
    dissolveFrame(key),
  ),
  frame("delete", "Delete the group and its contents", null, ({ key }) => deleteFrame(key)),
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
    enabled: () => currentFrame() !== undefined,
    run: () => onFrame(act),
  };
}

function onFrame(act: (group: Group) => void): void {
  const group = currentFrame();
  if (group !== undefined) act(group);
}

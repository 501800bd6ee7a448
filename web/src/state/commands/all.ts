/** The commands that the editor comes with, feature by feature. */
import type { Command } from "../commands";
import { accessCommands, leavingCommands } from "./access";
import { arrangeCommands } from "./arrange";
import { editCommands } from "./edit";
import { fieldCommands } from "./fields";
import { fileCommands } from "./file";
import { frameCommands } from "./frames";
import { graphCommands } from "./graph";
import { resultCommands } from "./results";
import { runCommands } from "./run";
import { subgraphCommands } from "./subgraphs";
import { viewCommands } from "./view";
import { wiringCommands } from "./wiring";

export { trackFocusedField } from "./fields";

export const COMMANDS: readonly Command[] = [
  // Before all else that Escape does.
  ...leavingCommands,
  ...runCommands,
  ...resultCommands,
  ...fileCommands,
  // Before editing: Escape closes what lies above the graph before it touches the selection.
  ...viewCommands,
  // Before editing: Delete takes selected points first.
  ...wiringCommands,
  // Before editing, too: Escape ends what is being drawn before it touches the selection.
  ...arrangeCommands,
  ...editCommands,
  ...frameCommands,
  ...graphCommands,
  ...fieldCommands,
  // After selecting nothing: Escape lets go of the selection before it leaves.
  ...subgraphCommands,
  // After what Enter does to notes and instances.
  ...accessCommands,
];

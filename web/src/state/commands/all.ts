/**
 * All built-in commands. Of commands with the same key, the first that can act wins, so their order
 * matters.
 */
import type { Command } from "../session/commandRegistry";
import { accessCommands, leavingCommands } from "./access";
import { arrangeCommands } from "./arrange";
import { clipboardCommands } from "./clipboard";
import { editCommands } from "./edit";
import { fieldCommands } from "./fields";
import { fileCommands } from "./file";
import { frameCommands } from "./frames";
import { graphCommands } from "./graph";
import { helpCommands } from "./help";
import { machineCommands } from "./machine";
import { resultCommands } from "./results";
import { runCommands } from "./run";
import { runViewCommands } from "./runViews";
import { splitCommands } from "./split";
import { subgraphCommands } from "./subgraphs";
import { tabCommands } from "./tabs";
import { viewCommands } from "./view";
import { wiringCommands } from "./wiring";

export { trackFocusedField } from "./fields";

export const COMMANDS: readonly Command[] = [
  // Before all others that use Escape.
  ...leavingCommands,
  ...runCommands,
  ...runViewCommands,
  ...resultCommands,
  ...machineCommands,
  ...fileCommands,
  ...tabCommands,
  // Before editing: Escape closes what is above the graph before it changes the selection.
  ...viewCommands,
  ...splitCommands,
  ...helpCommands,
  // Before editing: Delete removes selected reroute points first.
  ...wiringCommands,
  // Before editing: Escape cancels an outline being drawn before it changes the selection.
  ...arrangeCommands,
  ...editCommands,
  ...clipboardCommands,
  ...frameCommands,
  ...graphCommands,
  ...fieldCommands,
  // After editing: Escape clears the selection before it leaves a subgraph.
  ...subgraphCommands,
  // After the commands that Enter runs on notes and instances.
  ...accessCommands,
];

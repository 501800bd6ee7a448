/** The commands available at once; the others are loaded while the first graph is drawn. */
import type { Command } from "../session/commandRegistry";
import { editCommands } from "./edit";
import { fileCommands } from "./file";
import { graphCommands } from "./graph";
import { runCommands } from "./run";
import { viewCommands } from "./view";

export const INITIAL_COMMANDS: readonly Command[] = [
  ...runCommands,
  ...fileCommands,
  ...viewCommands,
  ...editCommands,
  ...graphCommands,
];

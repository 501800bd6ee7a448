/**
 * The registry of all commands. Keys, the command palette, menus and extensions look commands up
 * here; each feature adds its own (`commands/`).
 */
import { create } from "zustand";
import { leaveApp, showsApp } from "./studio";
import { notifyError } from "./view";

export type CommandGroup = "File" | "Edit" | "Graph" | "Node" | "View" | "Run" | "Help";

export interface Command {
  /** `group.action`; stored in users' key settings, so it must never be renamed. */
  id: string;
  /** In English; shown through `t()`. */
  title: string;
  group: CommandGroup;
  /** The default keys: "Ctrl+B", "Alt+Shift+M", "Shift+A", ".". */
  keys?: readonly string[];
  /** Whether its keys with Ctrl or Alt act also while the user is typing. */
  fields?: true;
  /** Whether it works while an app is shown instead of the graph. */
  app?: true;
  /** Whether it can act now; without it, always. */
  enabled?: () => boolean;
  run: () => void | Promise<void>;
}

interface Commands {
  /** In the order in which they were added. */
  all: readonly Command[];
}

export const useCommands = create<Commands>(() => ({ all: [] }));

/** For commands with the same keys, the first enabled one wins: the editor's before plugins'. */
const PLUGIN_PREFIX = "extension.";

/** Adds commands; throws for an id that is taken. Returns a function that removes them. */
export function addCommands(added: readonly Command[]): () => void {
  const taken = new Set(useCommands.getState().all.map((each) => each.id));
  for (const { id } of added) {
    if (taken.has(id)) throw new Error(`There is a command ${id} already.`);
    taken.add(id);
  }
  const isPlugins = ({ id }: Command) => id.startsWith(PLUGIN_PREFIX);
  useCommands.setState(({ all }) => {
    const every = [...all, ...added];
    return { all: [...every.filter((each) => !isPlugins(each)), ...every.filter(isPlugins)] };
  });
  return () =>
    useCommands.setState(({ all }) => ({ all: all.filter((each) => !added.includes(each)) }));
}

export function commandOf(id: string): Command | undefined {
  return useCommands.getState().all.find((each) => each.id === id);
}

export function isEnabled(command: Command): boolean {
  if (showsApp() && editsHiddenGraph(command)) return false;
  return command.enabled?.() ?? true;
}

const GRAPH_GROUPS: ReadonlySet<CommandGroup> = new Set(["Edit", "Graph", "Node"]);

/**
 * Commands that edit the graph are disabled while an app hides it, as the user would not see the
 * change.
 */
function editsHiddenGraph({ app, group }: Command): boolean {
  return app !== true && GRAPH_GROUPS.has(group);
}

/** Runs a command; a notice reports a failure. */
export function runCommand(id: string): void {
  const command = commandOf(id);
  if (command === undefined) throw new Error(`There is no command ${id}.`);
  if (!isEnabled(command)) return;
  try {
    void Promise.resolve(command.run()).catch(notifyError);
    // What it shows is beside the graph.
    if (command.group === "View" && command.app !== true) leaveApp();
  } catch (error) {
    notifyError(error);
  }
}

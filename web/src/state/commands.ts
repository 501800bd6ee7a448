/**
 * Every action a user can take, by name. Keys, the command palette, menus and extensions find
 * actions here; what an action does is told by the feature that adds it (`commands/`).
 */
import { create } from "zustand";
import { leaveApp, showsApp } from "./studio";
import { notifyError } from "./view";

export type CommandGroup = "File" | "Edit" | "Graph" | "Node" | "View" | "Run" | "Help";

export interface Command {
  /** `group.action`; kept in the user's own keys, so never renamed. */
  id: string;
  /** In English; shown through `t()`. */
  title: string;
  group: CommandGroup;
  /** The keys it has until the user says otherwise: "Ctrl+B", "Alt+Shift+M", "Shift+A", ".". */
  keys?: readonly string[];
  /** Acts also while one types, by those of its keys that have Ctrl or Alt. */
  fields?: true;
  /** Means the same beside the form of an app, where the graph is out of sight. */
  app?: true;
  /** Whether it would do anything now; without it, always. */
  enabled?: () => boolean;
  run: () => void | Promise<void>;
}

interface Commands {
  /** In the order in which they were added. */
  all: readonly Command[];
}

export const useCommands = create<Commands>(() => ({ all: [] }));

/** Of commands with the same keys the first that can act has them: the editor's before plugins'. */
const PLUGINS = "extension.";

/** Adds actions; an id that is taken is an error of whoever adds it. Returns what removes them. */
export function addCommands(added: readonly Command[]): () => void {
  const taken = new Set(useCommands.getState().all.map((each) => each.id));
  for (const { id } of added) {
    if (taken.has(id)) throw new Error(`There is a command ${id} already.`);
    taken.add(id);
  }
  const isPlugins = ({ id }: Command) => id.startsWith(PLUGINS);
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
  if (showsApp() && isUnseen(command)) return false;
  return command.enabled?.() ?? true;
}

const UNSEEN: ReadonlySet<CommandGroup> = new Set(["Edit", "Graph", "Node"]);

/** What it changes is out of sight while an app is shown: nothing is edited that one cannot see. */
function isUnseen({ app, group }: Command): boolean {
  return app !== true && UNSEEN.has(group);
}

/** Does what a command does; says in words what went wrong with it. */
export function runCommand(id: string): void {
  const command = commandOf(id);
  if (command === undefined) throw new Error(`There is no command ${id}.`);
  if (!isEnabled(command)) return;
  try {
    void Promise.resolve(command.run()).catch(notifyError);
    // What it shows lies beside the graph.
    if (command.group === "View" && command.app !== true) leaveApp();
  } catch (error) {
    notifyError(error);
  }
}

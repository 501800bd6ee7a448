/**
 * Every action a user can take, by name. Keys, the command palette, menus and extensions find
 * actions here; what an action does is told by the feature that adds it (`commands/`).
 */
import { create } from "zustand";
import { tellError } from "./view";

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
  /** Whether it would do anything now; without it, always. */
  enabled?: () => boolean;
  run: () => void | Promise<void>;
}

interface Commands {
  /** In the order in which they were added. */
  all: readonly Command[];
}

export const useCommands = create<Commands>(() => ({ all: [] }));

/** Adds actions; an id that is taken is an error of whoever adds it. Returns what removes them. */
export function addCommands(added: readonly Command[]): () => void {
  const taken = new Set(useCommands.getState().all.map((each) => each.id));
  for (const { id } of added) {
    if (taken.has(id)) throw new Error(`There is a command ${id} already.`);
    taken.add(id);
  }
  useCommands.setState(({ all }) => ({ all: [...all, ...added] }));
  return () =>
    useCommands.setState(({ all }) => ({ all: all.filter((each) => !added.includes(each)) }));
}

export function commandOf(id: string): Command | undefined {
  return useCommands.getState().all.find((each) => each.id === id);
}

export function isEnabled(command: Command): boolean {
  return command.enabled?.() ?? true;
}

/** Does what a command does; says in words what went wrong with it. */
export function runCommand(id: string): void {
  const command = commandOf(id);
  if (command === undefined) throw new Error(`There is no command ${id}.`);
  if (!isEnabled(command)) return;
  try {
    void Promise.resolve(command.run()).catch(tellError);
  } catch (error) {
    tellError(error);
  }
}

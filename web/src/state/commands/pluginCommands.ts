/** The commands that plugins declare: each opens a page of the plugin, or inserts its nodes. */

import type { Declaration } from "../../api/extensions";
import type { Json } from "../../document/json";
import { type PluginCommand, useExtensions } from "../catalog/extensions";
import { pasteValue } from "../editing/clipboard";
import { canvas } from "../session/canvas";
import { addCommands, type Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { client } from "../session/server";

/** Adds plugins' commands to the editor's. Returns a function that removes them. */
export function addPluginCommands(declared: readonly Declaration[]): () => void {
  return addCommands(
    declared.flatMap(({ pack, commands }) =>
      commands.map(
        (each): Command => ({
          id: `extension.${pack}.${each.id}`,
          title: each.title,
          group: "Graph",
          keys: each.keys,
          run: () => act({ ...each, pack }),
        }),
      ),
    ),
  );
}

async function act(command: PluginCommand): Promise<void> {
  if (command.insert === null) {
    useExtensions.setState({ open: command });
    return;
  }
  insertWorkflow((await client.extensionFile(command.pack, command.insert)) as Json);
}

/** Adds a plugin's nodes, like a paste that can be undone. Throws what pasting throws. */
export function insertWorkflow(workflow: Json): void {
  const handle = canvas();
  if (handle !== null)
    pasteValue(activeEditor(), workflow, handle.toGraph(handle.pointer()), false);
}

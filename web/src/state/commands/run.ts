/** Running and stopping. */
import type { Command } from "../commands";
import { interrupt, run } from "../running";

export const runCommands: readonly Command[] = [
  {
    id: "run.run",
    title: "Run",
    group: "Run",
    keys: ["Ctrl+Enter"],
    fields: true,
    run: () => run(),
  },
  {
    id: "run.front",
    title: "Run before all that waits",
    group: "Run",
    keys: ["Ctrl+Shift+Enter"],
    fields: true,
    run: () => run(true),
  },
  {
    id: "run.stop",
    title: "Stop what runs",
    group: "Run",
    keys: ["Ctrl+Alt+Enter"],
    fields: true,
    run: interrupt,
  },
];

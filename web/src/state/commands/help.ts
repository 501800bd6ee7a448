/** Commands for help, and for what is beside the editor: packs, the classic view. */
import { routeUrl } from "../../api/address";
import type { Command } from "../session/commandRegistry";
import { activeTab } from "../session/studio";
import { openSheet, useView } from "../session/view";

export const helpCommands: readonly Command[] = [
  {
    id: "view.packs",
    title: "Packs of nodes",
    group: "View",
    app: true,
    run: () => openSheet("packs"),
  },
  {
    id: "view.classic",
    title: "Open the classic view",
    group: "View",
    app: true,
    run: () => void window.open(routeUrl("/classic/"), "_blank", "noopener"),
  },
  {
    id: "help.changeKeys",
    title: "Change the keys",
    group: "Help",
    run: () => openSheet("keys"),
  },
  {
    id: "help.node",
    title: "Help about the selected node",
    group: "Help",
    keys: ["F1"],
    fields: true,
    enabled: () => activeTab().selected.length === 1,
    run: () => openSheet("help"),
  },
  {
    id: "help.keys",
    title: "Show the keyboard shortcuts",
    group: "Help",
    keys: ["?"],
    run: () => useView.setState(({ shortcuts }) => ({ shortcuts: !shortcuts })),
  },
];

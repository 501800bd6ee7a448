/** Commands for the screen: zoom, panels, theme. */

import { refreshCatalog } from "../catalog/catalog";
import { canvas } from "../session/canvas";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { changeSetting, setting } from "../session/settings";
import { activeTab, showsApp } from "../session/studio";
import { openSheet, toggleDock, toggleDrawer, useView } from "../session/view";

export const viewCommands: readonly Command[] = [
  {
    id: "view.commands",
    title: "Search all commands",
    group: "View",
    app: true,
    keys: ["Ctrl+K", "Ctrl+Shift+P"],
    fields: true,
    run: () => useView.setState({ commands: true }),
  },
  {
    id: "view.fit",
    title: "Show the selection, or all",
    group: "View",
    keys: [".", "Home"],
    run: () => canvas()?.fit(activeTab().selected),
  },
  {
    id: "view.zoomIn",
    title: "Zoom in",
    group: "View",
    keys: ["Alt+="],
    run: () => canvas()?.zoomIn(),
  },
  {
    id: "view.zoomOut",
    title: "Zoom out",
    group: "View",
    keys: ["Alt+-"],
    run: () => canvas()?.zoomOut(),
  },
  {
    id: "view.zoomWhole",
    title: "Zoom to 100%",
    group: "View",
    keys: ["Ctrl+0"],
    run: () => canvas()?.zoomTo(1),
  },
  {
    id: "view.minimap",
    title: "Show or hide the minimap",
    group: "View",
    keys: ["Alt+Shift+M"],
    run: () => changeSetting("calotype.minimap", !setting("calotype.minimap")),
  },
  {
    id: "view.app",
    title: "Switch between app and graph",
    group: "View",
    app: true,
    keys: ["Alt+M"],
    fields: true,
    run: async () => {
      const editor = activeEditor();
      const isShown = showsApp();
      (await import("../editing/app")).showApp(editor, !isShown);
    },
  },
  {
    id: "view.models",
    title: "Show or hide the models",
    group: "View",
    keys: ["M"],
    run: () => toggleDrawer("models"),
  },
  {
    id: "view.library",
    title: "Show or hide the node library",
    group: "View",
    keys: ["B"],
    run: () => toggleDrawer("library"),
  },
  {
    id: "view.queue",
    title: "Show or hide the queue",
    group: "View",
    keys: ["Q"],
    run: () => toggleDock("queue"),
  },
  {
    id: "view.inspector",
    title: "Show or hide the inspector",
    group: "View",
    keys: ["I"],
    run: () => useView.setState(({ inspector }) => ({ inspector: !inspector })),
  },
  {
    id: "view.closePalette",
    title: "Close the list",
    group: "View",
    app: true,
    keys: ["Escape"],
    enabled: () => useView.getState().palette !== null || useView.getState().commands,
    run: () => useView.setState({ palette: null, commands: false }),
  },
  {
    id: "view.closeLightbox",
    title: "Close the image",
    group: "View",
    app: true,
    keys: ["Escape"],
    enabled: () => useView.getState().lightbox !== null,
    run: () => useView.setState({ lightbox: null }),
  },
  {
    id: "view.theme",
    title: "Switch between dark and light theme",
    group: "View",
    app: true,
    run: () =>
      changeSetting("calotype.theme", setting("calotype.theme") === "light" ? "dark" : "light"),
  },
  {
    id: "view.settings",
    title: "Settings",
    group: "View",
    app: true,
    keys: ["Ctrl+,"],
    fields: true,
    run: () => openSheet("settings"),
  },
  {
    id: "graph.refresh",
    title: "Reload the nodes and models",
    group: "Graph",
    app: true,
    keys: ["R"],
    run: refreshCatalog,
  },
];

/**
 * The panels beside the canvas, loaded while the canvas is drawn: one file, so that all of them are
 * there soon, even if the server becomes unreachable.
 */
export { Announcer } from "./Announcer";
export { CommandPalette } from "./CommandPalette";
export { ConflictBar } from "./ConflictBar";
export { Dock } from "./Dock";
export { Inspector } from "./Inspector";
export { Palette } from "./Palette";
export { PluginDialog } from "./PluginDialog";
export { Question } from "./Question";
export { ResultOverlays, ResultSide } from "./ResultOverlays";
export { Sheets } from "./Sheets";
export { Shortcuts } from "./Shortcuts";
export { Workflows } from "./Workflows";

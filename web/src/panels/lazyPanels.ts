/**
 * What lies beside the canvas, fetched while the canvas is drawn: one file, so that all of it is
 * there a moment later, whatever becomes of the server.
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

/**
 * The state of the screen: which panels and dialogs are open, and notices to the user. Nothing here
 * is saved in a document.
 */
import { create } from "zustand";
import type { Point } from "../../document/graph";
import { UserError } from "../../document/userError";
import { t, translateMessage } from "../../words/words";
import type { Pulled } from "../finding/fitting";
import { leaveApp, showsApp } from "./studio";

export type DockTab = "results" | "queue" | "history" | "problems" | "logs";

export interface Palette {
  /** The palette's position on the screen, and the new node's position in the graph. */
  screen: Point;
  at: Point;
  pulled: Pulled | null;
  /** The wire that the new node is inserted into. */
  into?: string;
  /** The nodes that the new one replaces. */
  replaces?: readonly string[];
}

interface NoticeAction {
  label: string;
  run: () => void;
}

export interface Notice {
  text: string;
  tone: "plain" | "error";
  action?: NoticeAction;
  /** Further actions that the notice offers. */
  others?: readonly NoticeAction[];
  /** Called when the user dismisses the notice; a notice with it does not disappear by itself. */
  onDismiss?: () => void;
}

export type Sheet =
  | "batch"
  | "settings"
  | "keys"
  | "templates"
  | "needs"
  | "packs"
  | "help"
  | "versions"
  | "blueprints"
  | "about";

/** A node that is being connected by keyboard; `link` is the wire whose end is moved, if any. */
export interface Connecting {
  node: string;
  link?: string;
}

/** Two views side by side, by their ids: of two documents, or of one. */
export interface Split {
  panes: readonly [string, string];
  /** Whether the second shows the form of the document of the first. */
  form?: boolean;
  /** The share of the width of the first. */
  share: number;
}

interface View {
  /** Null while one document is shown. */
  split: Split | null;
  palette: Palette | null;
  connecting: Connecting | null;
  notice: Notice | null;
  dock: DockTab | null;
  /** In pixels, as the user dragged it; null for the standard height. */
  dockHeight: number | null;
  /** The side length of a picture in the gallery, in pixels. */
  thumbnail: number;
  inspector: boolean;
  /**
   * Where the newest result is shown large. "unopened": nobody has opened or closed it yet, so the
   * first finished picture opens it.
   */
  stage: "unopened" | "closed" | "docked" | "window";
  /** The width of the docked stage in pixels, as the user dragged it; null for the standard. */
  stageWidth: number | null;
  workflows: boolean;
  /** Whether the outline is open: the drawer with all nodes as a tree. */
  outline: boolean;
  /** Whether the drawer of the weights on the server is open. */
  models: boolean;
  /** Whether the node library is open: the drawer with all nodes that can be added. */
  library: boolean;
  shortcuts: boolean;
  /** Whether the command palette is open. */
  commands: boolean;
  /** The open dialog; at most one at a time. */
  sheet: Sheet | null;
  lightbox: string | null;
  /** How often each class of node was added. */
  used: Readonly<Record<string, number>>;
  /** The class that help is shown for; null for that of the selected node. */
  helpOf: string | null;
  /** The most recently added classes, the latest first. */
  recent: readonly string[];
}

const STORAGE_KEY = "calotype.view";
const PERSISTED_PARTS = [
  "split",
  "dock",
  "dockHeight",
  "thumbnail",
  "inspector",
  "stage",
  "stageWidth",
  "used",
  "recent",
] as const;

export const useView = create<View>(() => ({
  split: null,
  palette: null,
  connecting: null,
  notice: null,
  // Panels are closed until the user opens them, or something that needs them does.
  dock: null,
  dockHeight: null,
  thumbnail: 128,
  inspector: false,
  stage: "unopened",
  stageWidth: null,
  workflows: false,
  outline: false,
  models: false,
  library: false,
  shortcuts: false,
  commands: false,
  sheet: null,
  lightbox: null,
  used: {},
  recent: [],
  helpOf: null,
  ...storedView(),
}));

type PersistedView = Partial<Pick<View, (typeof PERSISTED_PARTS)[number]>>;

function storedView(): PersistedView {
  try {
    const text = globalThis.localStorage?.getItem(STORAGE_KEY) ?? "{}";
    const stored = JSON.parse(text) as PersistedView;
    // A window of its own ends with the page.
    return stored.stage === "window" ? { ...stored, stage: "closed" } : stored;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Stores the open panels in this browser. */
export function persistView(): () => void {
  return useView.subscribe((view) => {
    const parts = PERSISTED_PARTS.map((each) => [each, view[each]]);
    localStorage.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries(parts)));
  });
}

export function notify(text: string, action?: NoticeAction, others: NoticeAction[] = []): void {
  useView.setState({ notice: { text, tone: "plain", others, ...(action ? { action } : {}) } });
}

/** How browsers and the bundler report that a part of the program could not be fetched. */
const NOT_FETCHED = /dynamically imported module|importing a module script|preload CSS/i;

/** How browsers report a request without a response. */
const NOT_REACHED = /^(failed to fetch|load failed|networkerror)/i;

/** The message of an error, in the user's language where it is one of ours. */
export function errorText(error: unknown): string {
  if (error instanceof UserError) return t(error.sentence, error.values);
  if (error instanceof Error && NOT_FETCHED.test(error.message)) {
    return t(
      "A part of the editor could not be loaded. Check whether the server is running, then reload the page.",
    );
  }
  if (error instanceof TypeError && NOT_REACHED.test(error.message)) {
    return t("The server cannot be reached. Your work is kept.");
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return t("The server did not answer in time. Your work is kept; try again.");
  }
  return translateMessage(error instanceof Error ? error.message : String(error));
}

export function notifyError(error: unknown): void {
  const text = errorText(error);
  useView.setState({ notice: { text, tone: "error" } });
}

const MAX_RECENT = 24;

export function countUse(type: string): void {
  useView.setState(({ used, recent }) => ({
    used: { ...used, [type]: (used[type] ?? 0) + 1 },
    recent: [type, ...recent.filter((each) => each !== type)].slice(0, MAX_RECENT),
  }));
}

export function openSheet(sheet: Sheet | null): void {
  useView.setState({ sheet });
}

/** Opens or closes a drawer. At most one is open, and none beside an app. */
export function toggleDrawer(drawer: "workflows" | "models" | "outline" | "library"): void {
  const opens = showsApp() || !useView.getState()[drawer];
  leaveApp();
  const closed = { workflows: false, models: false, outline: false, library: false };
  useView.setState({ ...closed, [drawer]: opens });
}

const STANDARD_HEIGHT = 168;
/** The dock's standard height for the gallery, in pixels, as it shows several rows. */
const GALLERY_HEIGHT = 344;

/** The height of the open dock, in pixels. */
export function heightOfDock({ dock, dockHeight }: Pick<View, "dock" | "dockHeight">): number {
  return dockHeight ?? (dock === "history" ? GALLERY_HEIGHT : STANDARD_HEIGHT);
}

export function toggleDock(tab: DockTab): void {
  const closes = useView.getState().dock === tab && !showsApp();
  showDock(closes ? null : tab);
}

export function showDock(dock: DockTab | null): void {
  leaveApp();
  useView.setState({ dock });
}

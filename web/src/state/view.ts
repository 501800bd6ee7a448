/** What of the studio is open on the screen, and what it tells the user. Nothing here is saved in a document. */
import { create } from "zustand";
import type { Point } from "../document/graph";
import { UserError } from "../document/userError";
import { t, translateMessage } from "../words/words";
import type { Pulled } from "./finding/fitting";
import { leaveApp, showsApp } from "./studio";

export type DockTab = "results" | "queue" | "history" | "problems";

export interface Palette {
  /** Where it opens on the screen, and where the node will be in the graph. */
  screen: Point;
  at: Point;
  pulled: Pulled | null;
  /** The wire that the node is put into. */
  into?: string;
  /** The nodes that the chosen one takes the place of. */
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
  /** Other things that could be done. */
  others?: readonly NoticeAction[];
  /** It stays until it is dismissed, which calls this. */
  onDismiss?: () => void;
}

export type Sheet =
  | "batch"
  | "settings"
  | "keys"
  | "templates"
  | "missing"
  | "help"
  | "versions"
  | "blueprints";

/** A node that is being connected by keys; `link` is the wire whose end is moved, if one is. */
export interface Connecting {
  node: string;
  link?: string;
}

interface View {
  palette: Palette | null;
  connecting: Connecting | null;
  notice: Notice | null;
  dock: DockTab | null;
  /** As it was dragged; null until then. */
  dockHeight: number | null;
  /** The side of a picture in the gallery. */
  thumbnail: number;
  inspector: boolean;
  workflows: boolean;
  /** The drawer of all nodes as a tree. */
  outline: boolean;
  /** The drawer of the weights on this server. */
  models: boolean;
  shortcuts: boolean;
  /** The command palette. */
  commands: boolean;
  /** The dialog that is open, one at a time. */
  sheet: Sheet | null;
  lightbox: string | null;
  /** How often each class of node was added. */
  used: Readonly<Record<string, number>>;
  /** The class of nodes that help is asked about; null for that of the selected node. */
  helpOf: string | null;
  /** The classes added last, the latest first. */
  recent: readonly string[];
}

const ROOMY = 960;
const KEPT = "calotype.view";
const PERSISTED_PARTS = ["dock", "dockHeight", "thumbnail", "inspector", "used", "recent"] as const;

export const useView = create<View>(() => ({
  palette: null,
  connecting: null,
  notice: null,
  dock: "results",
  dockHeight: null,
  thumbnail: 128,
  // Beside it, the graph needs room of its own.
  inspector: (globalThis.innerWidth ?? ROOMY) >= ROOMY,
  workflows: false,
  outline: false,
  models: false,
  shortcuts: false,
  commands: false,
  sheet: null,
  lightbox: null,
  used: {},
  recent: [],
  helpOf: null,
  ...kept(),
}));

type PersistedView = Partial<Pick<View, (typeof PERSISTED_PARTS)[number]>>;

function kept(): PersistedView {
  try {
    return JSON.parse(globalThis.localStorage?.getItem(KEPT) ?? "{}") as PersistedView;
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Remembers on this machine what one has open. */
export function persistView(): () => void {
  return useView.subscribe((view) => {
    const parts = PERSISTED_PARTS.map((each) => [each, view[each]]);
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(parts)));
  });
}

export function notify(text: string, action?: NoticeAction, others: NoticeAction[] = []): void {
  useView.setState({ notice: { text, tone: "plain", others, ...(action ? { action } : {}) } });
}

/** What browsers and the bundler say of a part of the program that did not come. */
const NOT_FETCHED = /dynamically imported module|importing a module script|preload CSS/i;

/** The same of a request that nobody answers. */
const NOT_REACHED = /^(failed to fetch|load failed|networkerror)/i;

/** What an error says, in the user's language where the sentence is ours. */
export function errorText(error: unknown): string {
  if (error instanceof UserError) return t(error.sentence, error.values);
  if (error instanceof Error && NOT_FETCHED.test(error.message)) {
    return t(
      "A part of the editor could not be loaded. Check whether the server is running, then reload the page.",
    );
  }
  if (error instanceof TypeError && NOT_REACHED.test(error.message)) {
    return t("The server is away. Your work is kept.");
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

const REMEMBERED = 24;

export function countUse(type: string): void {
  useView.setState(({ used, recent }) => ({
    used: { ...used, [type]: (used[type] ?? 0) + 1 },
    recent: [type, ...recent.filter((each) => each !== type)].slice(0, REMEMBERED),
  }));
}

export function openSheet(sheet: Sheet | null): void {
  useView.setState({ sheet });
}

/** Shows one drawer, or closes it; there is one at a time, and none beside an app. */
export function toggleDrawer(drawer: "workflows" | "models" | "outline"): void {
  const opens = showsApp() || !useView.getState()[drawer];
  leaveApp();
  useView.setState({ workflows: false, models: false, outline: false, [drawer]: opens });
}

const STANDARD = 168;
/** A gallery needs more than a strip. */
const GALLERY = 344;

/** Pixels of the dock while it is open. */
export function heightOfDock({ dock, dockHeight }: Pick<View, "dock" | "dockHeight">): number {
  return dockHeight ?? (dock === "history" ? GALLERY : STANDARD);
}

export function toggleDock(tab: DockTab): void {
  const closes = useView.getState().dock === tab && !showsApp();
  showDock(closes ? null : tab);
}

export function showDock(dock: DockTab | null): void {
  leaveApp();
  useView.setState({ dock });
}

/**
 * The user's settings, for all documents: stored on the server, with a copy in this browser so that
 * the first paint is already right. Each setting states its reason (`why`).
 */

import { create } from "zustand";
import { HttpError } from "../../api/transport";
import { isObject, parseJson, writeJson } from "../../document/json";
import { LANGUAGES, preferredLanguage } from "../../words/words";
import { client } from "./server";
import { notifyError } from "./view";

interface Described {
  /** In English, shown through `t()`, like `title`, `why` and the labels of the choices. */
  group: "Appearance" | "Canvas" | "Editing" | "Run" | "Keys";
  title: string;
  why: string;
}

export type Setting = Described &
  (
    | { kind: "toggle"; standard: boolean }
    | { kind: "choice"; standard: string; choices: Readonly<Record<string, string>> }
    | { kind: "number"; standard: number; min: number; max: number; step: number }
    | { kind: "text"; standard: string }
    | { kind: "keys"; standard: Readonly<Record<string, readonly string[]>> }
    // Set elsewhere than in the dialog of settings.
    | { kind: "names"; standard: readonly string[] }
  );

export const SETTINGS = {
  "calotype.theme": {
    group: "Appearance",
    title: "Theme",
    why: "Dark suits work with images; high contrast helps with low vision and in bright rooms.",
    kind: "choice",
    standard: "dark",
    choices: { dark: "Dark", light: "Light", contrast: "High contrast" },
  },
  "calotype.language": {
    group: "Appearance",
    title: "Language",
    why: "The language of the editor. Names of nodes and types are not translated.",
    kind: "choice",
    // The browser's language until the user chooses one.
    standard: preferredLanguage(globalThis.window?.navigator.languages ?? []) as string,
    choices: LANGUAGES,
  },
  "calotype.drag": {
    group: "Canvas",
    title: "Dragging the empty canvas",
    why: "Keys: V, H and Shift+V. A drag with Shift or Ctrl always selects by a box, with Alt by a lasso; with Space it moves the view.",
    kind: "choice",
    standard: "hand",
    choices: {
      hand: "Moves the view",
      select: "Selects by a box",
      lasso: "Selects by a lasso",
    },
  },
  "calotype.snap": {
    group: "Canvas",
    title: "Dragging snaps to",
    why: "Aligned nodes are easier to read. Hold Ctrl while you drag to place nodes freely.",
    kind: "choice",
    standard: "both",
    choices: {
      both: "Grid and neighbours",
      grid: "Grid",
      neighbours: "Neighbours",
      nothing: "Nothing",
    },
  },
  "calotype.selectionBar": {
    group: "Canvas",
    title: "Toolbar above the selection",
    why: "All its commands are also in the context menu and have keys.",
    kind: "toggle",
    standard: true,
  },
  "calotype.wireShape": {
    group: "Canvas",
    title: "Shape of wires",
    why: "Curves are easiest to follow; right angles suit graphs in rows.",
    kind: "choice",
    standard: "spline",
    choices: { spline: "Curved", straight: "Straight", orthogonal: "Right angles" },
  },
  "calotype.quietWires": {
    group: "Canvas",
    title: "Only the wires of the selection",
    why: "Hides all other wires, which makes a large graph easier to read.",
    kind: "toggle",
    standard: false,
  },
  "calotype.minimap": {
    group: "Canvas",
    title: "Minimap",
    why: "Shows which part of a large graph is in view; drag its frame to move the view.",
    kind: "toggle",
    standard: true,
  },
  "calotype.device": {
    group: "Canvas",
    title: "Mouse wheel",
    why: "A mouse wheel zooms. On a trackpad, two fingers move the view, and pinching zooms.",
    kind: "choice",
    standard: "mouse",
    choices: { mouse: "Zooms (mouse)", trackpad: "Moves the view (trackpad)" },
  },
  "calotype.openAsApp": {
    group: "Editing",
    title: "Workflows that are apps",
    why: "Some workflows open as a form. If you only work on graphs, always open the graph.",
    kind: "choice",
    standard: "file",
    choices: { file: "Open as saved in the file", never: "Always open the graph" },
  },
  "calotype.bookmarks": {
    group: "Editing",
    title: "Bookmarked nodes",
    why: "They come first in the node library. The star beside a node there sets and removes one.",
    kind: "names",
    standard: [],
  },
  "calotype.keymap": {
    group: "Keys",
    title: "Key preset",
    why: "Uses the keys of another node editor.",
    kind: "choice",
    standard: "comfyui",
    choices: { comfyui: "ComfyUI", blender: "Blender", nuke: "Nuke" },
  },
  "calotype.previewRate": {
    group: "Run",
    title: "Previews per second",
    why: "How often the preview on a running node is updated; 0 turns previews off.",
    kind: "number",
    standard: 10,
    min: 0,
    max: 10,
    step: 1,
  },
  "calotype.follow": {
    group: "Run",
    title: "Follow the run",
    why: "Moves the view to each node when it starts; useful in large graphs.",
    kind: "toggle",
    standard: false,
  },
  "calotype.runOnChange": {
    group: "Run",
    title: "Run on every change",
    why: "Runs again shortly after an edit that would change a result. Seeds do not change.",
    kind: "toggle",
    standard: false,
  },
  "calotype.metadata": {
    group: "Run",
    title: "Workflow in saved files",
    why: "Saved files carry what made them and open as it. Off: they carry nothing of it.",
    kind: "toggle",
    standard: true,
  },
  "calotype.timings": {
    group: "Run",
    title: "Show times and memory on nodes",
    why: "Shows how long each node took in its last run, and its peak memory.",
    kind: "toggle",
    standard: false,
  },
  "calotype.keys": {
    group: "Keys",
    title: "Custom keys",
    why: "Change the keys of any command.",
    kind: "keys",
    standard: {},
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingId = keyof typeof SETTINGS;
type Widened<Kind> = Kind extends { kind: "toggle" }
  ? boolean
  : Kind extends { kind: "number" }
    ? number
    : Kind extends { kind: "keys" }
      ? Readonly<Record<string, readonly string[]>>
      : Kind extends { kind: "names" }
        ? readonly string[]
        : string;
type ValueOf<Id extends SettingId> = Widened<(typeof SETTINGS)[Id]>;

const KEY = "calotype.settings";

type Values = Readonly<Record<string, unknown>>;

export const useSettings = create<{ values: Values }>(() => ({ values: storedValues() }));

function storedValues(): Values {
  try {
    const stored = parseJson(globalThis.localStorage?.getItem(KEY) ?? "{}");
    return isObject(stored) ? stored : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** The stored value where it has the setting's type, else the default. */
function valueIn<Id extends SettingId>(values: Values, id: Id): ValueOf<Id> {
  const described: Setting = SETTINGS[id];
  const found = values[id];
  const isValid =
    described.kind === "choice"
      ? typeof found === "string" && found in described.choices
      : Array.isArray(found) === Array.isArray(described.standard) &&
        typeof found === typeof described.standard &&
        found !== null;
  return (isValid ? found : described.standard) as ValueOf<Id>;
}

export function setting<Id extends SettingId>(id: Id): ValueOf<Id> {
  return valueIn(useSettings.getState().values, id);
}

export function useSetting<Id extends SettingId>(id: Id): ValueOf<Id> {
  return useSettings(({ values }) => valueIn(values, id));
}

/** Changes a setting here at once, and on the server; a notice reports where the server refuses. */
export function changeSetting<Id extends SettingId>(id: Id, value: ValueOf<Id>): void {
  storeSetting(id, value);
}

/** Like `changeSetting`, for a setting that is not in the table: a plugin's, of any type. */
export function storeSetting(id: string, value: unknown): void {
  useSettings.setState(({ values }) => ({ values: { ...values, [id]: value } }));
  storeLocally();
  client.changeSetting(id, value).catch((error: unknown) => {
    // The run bar already shows that the server is unreachable; the local copy is used.
    if (error instanceof HttpError) notifyError(error);
  });
}

function storeLocally(): void {
  localStorage.setItem(KEY, writeJson(useSettings.getState().values));
}

/** Reads the server's settings; this browser's copy is kept for those the server does not have. */
export async function loadSettings(): Promise<void> {
  const found = await client.settings();
  const supported = Object.entries(found).filter(
    ([id]) => id in SETTINGS || id.startsWith("extension."),
  );
  useSettings.setState(({ values }) => ({
    values: { ...values, ...Object.fromEntries(supported) },
  }));
  storeLocally();
}

/**
 * The user's settings, for all documents: stored on the server, with a copy in this browser so that
 * the first paint is already right. Each setting states its reason (`why`).
 */

import { create } from "zustand";
import { HttpError } from "../api/transport";
import { isObject, parseJson, writeJson } from "../document/json";
import { LANGUAGES, preferredLanguage } from "../words/words";
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
  );

export const SETTINGS = {
  "calotype.theme": {
    group: "Appearance",
    title: "Theme",
    why: "Dark rests the eyes beside pictures; high contrast is for weak sight and bright rooms.",
    kind: "choice",
    standard: "dark",
    choices: { dark: "Dark", light: "Light", contrast: "High contrast" },
  },
  "calotype.language": {
    group: "Appearance",
    title: "Language",
    why: "The words of the editor. Names of nodes and types stay as their makers wrote them.",
    kind: "choice",
    // The browser's language until the user chooses one.
    standard: preferredLanguage(globalThis.window?.navigator.languages ?? []) as string,
    choices: LANGUAGES,
  },
  "calotype.drag": {
    group: "Canvas",
    title: "Dragging the empty canvas",
    why: "V, H and Shift+V change it, too. With Shift or Ctrl a drag always draws a box, with Alt a lasso, with Space it moves the view.",
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
    why: "Straight rows are read faster. Hold Ctrl while you drag to place freely.",
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
    title: "Tools above the selection",
    why: "Everything in it has a key and is in the context menu, too.",
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
    why: "A large graph reads better when only the wires of what one works on are drawn.",
    kind: "toggle",
    standard: false,
  },
  "calotype.minimap": {
    group: "Canvas",
    title: "Minimap",
    why: "In a large graph it says where one is; drag its frame to go elsewhere.",
    kind: "toggle",
    standard: true,
  },
  "calotype.device": {
    group: "Canvas",
    title: "Mouse wheel",
    why: "A mouse wheel has one direction and is best for zooming. Two fingers on a trackpad have two, and move the view; pinching zooms.",
    kind: "choice",
    standard: "mouse",
    choices: { mouse: "Zooms (mouse)", trackpad: "Moves the view (trackpad)" },
  },
  "calotype.openAsApp": {
    group: "Editing",
    title: "Workflows that are apps",
    why: "Their makers meant them as a form; whoever works on graphs may never want to see it.",
    kind: "choice",
    standard: "file",
    choices: { file: "Open as the file says", never: "Always open the graph" },
  },
  "calotype.keymap": {
    group: "Keys",
    title: "Keys to start from",
    why: "Keeps the keys of the node editor you come from.",
    kind: "choice",
    standard: "comfyui",
    choices: { comfyui: "ComfyUI", blender: "Blender", nuke: "Nuke" },
  },
  "calotype.previewRate": {
    group: "Run",
    title: "Previews per second",
    why: "How often the picture on a running node is drawn; 0 draws none.",
    kind: "number",
    standard: 10,
    min: 0,
    max: 10,
    step: 1,
  },
  "calotype.follow": {
    group: "Run",
    title: "Follow the run",
    why: "Moves the view to each node as it begins, for graphs larger than the screen.",
    kind: "toggle",
    standard: false,
  },
  "calotype.runOnChange": {
    group: "Run",
    title: "Run on every change",
    why: "Runs again shortly after an edit that would change a result. Seeds stay as they are.",
    kind: "toggle",
    standard: false,
  },
  "calotype.timings": {
    group: "Run",
    title: "Show times and memory on nodes",
    why: "How long each node took last and its peak memory, to find what is slow.",
    kind: "toggle",
    standard: false,
  },
  "calotype.keys": {
    group: "Keys",
    title: "Your own keys",
    why: "Every command can have other keys than it came with.",
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
      : string;
type ValueOf<Id extends SettingId> = Widened<(typeof SETTINGS)[Id]>;

const KEY = "calotype.settings";

type Values = Readonly<Record<string, unknown>>;

export const useSettings = create<{ values: Values }>(() => ({ values: copyHere() }));

function copyHere(): Values {
  try {
    const kept = parseJson(globalThis.localStorage?.getItem(KEY) ?? "{}");
    return isObject(kept) ? kept : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** The stored value where it has the setting's type, else the default. */
function valueIn<Id extends SettingId>(values: Values, id: Id): ValueOf<Id> {
  const described: Setting = SETTINGS[id];
  const found = values[id];
  const fits =
    described.kind === "choice"
      ? typeof found === "string" && found in described.choices
      : typeof found === typeof described.standard && found !== null;
  return (fits ? found : described.standard) as ValueOf<Id>;
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
  const ours = Object.entries(found).filter(
    ([id]) => id in SETTINGS || id.startsWith("extension."),
  );
  useSettings.setState(({ values }) => ({ values: { ...values, ...Object.fromEntries(ours) } }));
  storeLocally();
}

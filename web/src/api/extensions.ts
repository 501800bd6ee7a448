/**
 * Plugins' declarations for the editor (`calotype.json`, version 1), and the messages between the
 * editor and their pages. The server validates declarations; each message from a page is validated
 * here.
 */

export interface DeclaredWidget {
  id: string;
  title: string;
  page: string;
  inputs: { node: string; input: string }[];
  types: string[];
  height: number;
}

export interface DeclaredRenderer {
  id: string;
  title: string;
  page: string;
  types: string[];
  height: number;
}

export interface DeclaredCommand {
  id: string;
  title: string;
  keys: string[];
  insert: string | null;
  page: string | null;
  height: number;
}

export interface DeclaredSetting {
  id: string;
  title: string;
  why: string;
  kind: "toggle" | "choice" | "number" | "text";
  standard: boolean | number | string;
  choices: Record<string, string>;
  min: number;
  max: number;
  step: number;
}

export interface Declaration {
  pack: string;
  api: number;
  name: string;
  version: string;
  description: string;
  widgets: DeclaredWidget[];
  renderers: DeclaredRenderer[];
  commands: DeclaredCommand[];
  settings: DeclaredSetting[];
}

export type DeclaredExtension = Declaration | { pack: string; error: string };

export const EXTENSION_API = 1;

/**
 * A message to a page: `init` once the page reports that it is ready, `value` after each change.
 */
export interface MessageToPage {
  calotype: typeof EXTENSION_API;
  type: "init" | "value";
  /** For a widget: its input, and the input's value. */
  value?: unknown;
  input?: { node: string; name: string; type: string; options: Record<string, unknown> };
  /** For a renderer: the result to show, as text or the file's bytes. */
  result?: { type: string; name: string; data: ArrayBuffer | string };
  /** For a command: the selected nodes as a saved workflow, or null. */
  selection?: unknown;
  settings?: Record<string, unknown>;
  /** `color-scheme` and the theme's colours, by the names of CSS properties. */
  theme?: Record<string, string>;
  language?: string;
}

/** The fields of a keyboard event. */
interface PressedKey {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

export type MessageFromPage =
  | { type: "ready" }
  | { type: "change"; value: unknown; done: boolean }
  | { type: "size"; height: number }
  | ({ type: "key" } & PressedKey)
  | { type: "insert"; workflow: unknown }
  | { type: "tell"; text: string }
  | { type: "close" };

const MAX_TEXT = 300;
const MAX_VALUE = 1 << 20;
const LOWEST = 24;
export const MAX_HEIGHT = 2000;

/** A valid message of a page, or null: pages are not trusted. */
export function readMessage(data: unknown): MessageFromPage | null {
  if (typeof data !== "object" || data === null) return null;
  const message = data as Record<string, unknown>;
  if (message.calotype !== EXTENSION_API) return null;
  switch (message.type) {
    case "ready":
    case "close":
      return { type: message.type };
    case "change":
      if (!isPlainData(message.value)) return null;
      return { type: "change", value: message.value, done: message.done === true };
    case "size":
      if (typeof message.height !== "number" || !Number.isFinite(message.height)) return null;
      return {
        type: "size",
        height: Math.min(Math.max(Math.round(message.height), LOWEST), MAX_HEIGHT),
      };
    case "key":
      return typeof message.key === "string" && typeof message.code === "string"
        ? {
            type: "key",
            key: message.key,
            code: message.code,
            ctrlKey: message.ctrlKey === true,
            metaKey: message.metaKey === true,
            altKey: message.altKey === true,
            shiftKey: message.shiftKey === true,
          }
        : null;
    case "insert":
      return isPlainData(message.workflow) ? { type: "insert", workflow: message.workflow } : null;
    case "tell":
      if (typeof message.text !== "string") return null;
      return { type: "tell", text: message.text.slice(0, MAX_TEXT) };
    default:
      return null;
  }
}

/**
 * Whether a value can be saved: JSON and whole numbers of any size, limited in depth and length.
 */
export function isPlainData(value: unknown): boolean {
  let left = MAX_VALUE;
  const isPlain = (each: unknown, depth: number): boolean => {
    left -= typeof each === "string" ? each.length + 8 : 8;
    if (left < 0 || depth > 64) return false;
    if (each === null || typeof each === "string" || typeof each === "boolean") return true;
    if (typeof each === "bigint") return true;
    if (typeof each === "number") return Number.isFinite(each);
    if (Array.isArray(each)) return each.every((one) => isPlain(one, depth + 1));
    if (typeof each !== "object") return false;
    const prototype = Object.getPrototypeOf(each);
    if (prototype !== Object.prototype && prototype !== null) return false;
    return Object.entries(each).every(([name, one]) => {
      left -= name.length;
      return isPlain(one, depth + 1);
    });
  };
  return isPlain(value, 0);
}

/**
 * Maps keys to commands: the commands' default keys, overridden by the user's own. Letters and
 * signs without Ctrl or Alt act only while no field is focused.
 */

import { translateMessage } from "../../words/words";
import { setTabAddsNode, tabAddsNode } from "../editing/keyboardNavigation";
import {
  type Command,
  commandOf,
  isEnabled,
  runCommand,
  useCommands,
} from "../session/commandRegistry";
import { setting } from "../session/settings";
import { PRESETS } from "./presets";

type KeyPress = Pick<
  KeyboardEvent,
  "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey"
> & { getModifierState?: (key: string) => boolean };

const VIEW_GROUPS: ReadonlySet<string> = new Set(["View", "Help"]);
const MODIFIERS: ReadonlySet<string> = new Set(["Control", "Shift", "Alt", "Meta", "AltGraph"]);
const KEY_NAMES: Readonly<Record<string, string>> = { " ": "Space", Esc: "Escape", Del: "Delete" };
/**
 * Keys that move the focus or activate the focused element: commands get them only while the canvas
 * has the focus.
 */
const FOCUS_KEYS = /^(Shift\+)?(Enter|Space|Tab|Arrow\w+)$/;
/** Keys that type no text: they may act while the user is typing. */
const NON_TEXT_KEYS = /^((Ctrl|Alt)\+.+|(Shift\+)?F\d+|Escape)$/;
/** Keys that buttons, tabs and lists handle natively. */
const NATIVE_KEYS =
  /^(Shift\+)?(Enter|Space|Tab|Home|End|PageUp|PageDown|Arrow\w+|Delete|Backspace)$/;

/**
 * "Ctrl+Shift+E": Ctrl, Alt, Shift in this order; ⌘ counts as Ctrl. Null for a modifier alone, and
 * for a letter or digit typed with AltGr. For a sign typed with AltGr, the sign alone.
 */
export function keyOf(event: KeyPress): string | null {
  if (MODIFIERS.has(event.key)) return null;
  const written = writtenWithAltGr(event);
  const typed = written ? event.key : keyTyped(event);
  const key = typed.length === 1 ? typed.toUpperCase() : typed;
  // Where Shift is only needed to type the sign, it is not part of the key.
  const isSign = key.length === 1 && !/[\p{L}\p{N}]/u.test(key);
  if (written) return isSign ? key : null;
  return [
    event.ctrlKey || event.metaKey ? "Ctrl" : null,
    event.altKey ? "Alt" : null,
    event.shiftKey && !isSign ? "Shift" : null,
    key,
  ]
    .filter((each) => each !== null)
    .join("+");
}

/**
 * The key by the character it types. By its position on the keyboard where Alt changes the
 * character, and on keyboards of other scripts, as keys are named in Latin letters.
 */
function keyTyped({ key, code, altKey }: KeyPress): string {
  const placed = placeOf(code);
  const isPlain = /^[\da-z]$/i.test(key);
  const isForeign = /^\p{L}$/u.test(key) && !/^\p{Script=Latin}$/u.test(key);
  if (placed !== undefined && !isPlain && (altKey || isForeign)) return placed;
  return KEY_NAMES[key] ?? key;
}

function placeOf(code: string): string | undefined {
  return /^(?:Key|Digit)(\w)$/.exec(code)?.[1];
}

/**
 * Whether a character was typed with AltGr, as @ and € are on many keyboards. Windows reports AltGr
 * as Ctrl and Alt together. On a Mac, Option is Alt and makes a shortcut.
 */
function writtenWithAltGr(event: KeyPress): boolean {
  const { key, code, ctrlKey, altKey, metaKey, shiftKey } = event;
  if (key.length !== 1 || isMac()) return false;
  if (event.getModifierState?.("AltGraph") === true) return true;
  const writesOther = /^([^\p{L}\p{N}]|[\p{Script=Latin}µ])$/u.test(key) && !/^[a-z]$/i.test(key);
  const both = ctrlKey && altKey && !metaKey && !shiftKey;
  return both && writesOther && placeOf(code) !== undefined;
}

function isMac(): boolean {
  return /^(Mac|iP)/.test(globalThis.navigator?.platform ?? "");
}

/** The keys of a command: the user's own, else the preset's, else its defaults. */
export function keysOf(
  command: Command,
  own = setting("calotype.keys"),
  preset = setting("calotype.keymap"),
): readonly string[] {
  return own[command.id] ?? PRESETS[preset]?.[command.id] ?? command.keys ?? [];
}

/** The first enabled command of a key; commands whose keys the user or preset chose come first. */
export function commandFor(key: string, all: readonly Command[]): Command | undefined {
  const [own, preset] = [setting("calotype.keys"), setting("calotype.keymap")];
  const enabled = all.filter((each) => keysOf(each, own, preset).includes(key) && isEnabled(each));
  return enabled.find((each) => each.keys?.includes(key) !== true) ?? enabled[0];
}

/** A key as shown to users: words rather than symbols such as "Ctrl ⇧ E". */
export function shownKey(key: string): string {
  const parts = key === "+" ? ["+"] : key.split(/\+(?=.)/);
  return parts
    .map((each) => KEY_SYMBOLS[each] ?? translateMessage(KEY_LABELS[each] ?? each))
    .join(" ");
}

const KEY_SYMBOLS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
};

/** The labels printed on keys, in English where that is not the key's own name. */
const KEY_LABELS: Readonly<Record<string, string>> = {
  Ctrl: "Ctrl",
  Alt: "Alt",
  Shift: "Shift",
  Enter: "Enter",
  Tab: "Tab",
  Space: "Space",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "Backspace",
  Insert: "Ins",
  Home: "Home",
  End: "End",
  PageUp: "Page up",
  PageDown: "Page down",
};

/** A tooltip: the words, and the current key of the command. */
export function withKey(words: string, id: string): string {
  const key = keyFor(id);
  return key === undefined ? words : `${words}  ${key}`;
}

/** The first key of a command, as shown to users. */
export function keyFor(id: string): string | undefined {
  const command = commandOf(id);
  const [key] = command === undefined ? [] : keysOf(command);
  return key === undefined ? undefined : shownKey(key);
}

/** Starts handling keys. Returns a function that ends it. */
export function listenForKeys(): () => void {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    const key = keyOf(event);
    if (key === null) return;
    const command = commandFor(key, useCommands.getState().all);
    if (command === undefined || !isAllowedAt(command, key, event.target)) {
      // The user navigates by keyboard, so the next Tab moves the focus too.
      if (/^(Shift\+)?Tab$/.test(key)) setTabAddsNode(false);
      return;
    }
    event.preventDefault();
    // A key that repeats while held must start only one run.
    if (event.repeat && command.group === "Run") return;
    runCommand(command.id);
  };
  const onPointerDown = () => setTabAddsNode(true);
  window.addEventListener("keydown", onKeyDown);
  window.addEventListener("pointerdown", onPointerDown, true);
  return () => {
    window.removeEventListener("keydown", onKeyDown);
    window.removeEventListener("pointerdown", onPointerDown, true);
  };
}

/** The commands that a key in a plugin's page may run; none of them is destructive. */
const PAGE_COMMANDS: ReadonlySet<string> = new Set([
  "edit.undo",
  "edit.redo",
  "file.save",
  "run.run",
  "view.commands",
]);

/** Handles a key that was pressed in a plugin's page and that the page did not use. */
export function handlePageKey(event: KeyPress): void {
  const key = keyOf(event);
  const command = key === null ? undefined : commandFor(key, useCommands.getState().all);
  if (command !== undefined && PAGE_COMMANDS.has(command.id)) runCommand(command.id);
}

function isAllowedAt(command: Command, key: string, target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return true;
  if (target.closest(OVERLAYS) !== null || hasModalDialog()) return false;
  // The gallery takes no text: the key that showed it also hides it.
  if (target.closest(".history-grid") !== null && VIEW_GROUPS.has(command.group)) return true;
  if (target.closest("[role=listbox]") !== null) return NON_TEXT_KEYS.test(key) && key !== "Escape";
  // The title of a frame is focused but not being edited.
  if (target.matches("input:read-only")) return NON_TEXT_KEYS.test(key);
  if (isTyping(target)) return command.fields === true && NON_TEXT_KEYS.test(key);
  if (/^(Ctrl|Alt)\+/.test(key)) return true;
  if (FOCUS_KEYS.test(key) && !isOnCanvas(target)) return false;
  if (key === "Tab") return tabAddsNode();
  if (target.closest(".field") !== null) return command.fields === true && NON_TEXT_KEYS.test(key);
  const control = target.closest("button, a, summary, [role=tab], [role=slider], [role=separator]");
  return control === null || !NATIVE_KEYS.test(key);
}

/**
 * Whether a modal dialog is open although the page has the focus, because the dialog's focused
 * element was removed.
 */
function hasModalDialog(): boolean {
  return document.querySelector("dialog:modal") !== null;
}

const OVERLAYS = "dialog, [role=dialog], [role=menu]";

/** Whether the focus is on nothing, on the canvas, or on a node, but not on a node's field. */
function isOnCanvas(target: Element): boolean {
  return target.matches("html, body, .canvas, .canvas [data-node]");
}

/** Whether the focused element takes typed text. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, textarea, select, [contenteditable=true], .choices") !== null
  );
}

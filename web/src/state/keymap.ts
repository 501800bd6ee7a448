/**
 * From keys to commands: the keys that commands came with, and the user's own over them.
 * Letters and signs without Ctrl or Alt act only while no field has the focus.
 */

import { translateMessage } from "../words/words";
import { type Command, commandOf, isEnabled, runCommand, useCommands } from "./commands";
import { setTabAddsNode, tabAddsNode } from "./editing/keyboardNavigation";
import { PRESETS } from "./presets";
import { setting } from "./settings";

type Pressed = Pick<
  KeyboardEvent,
  "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey"
> & { getModifierState?: (key: string) => boolean };

const SHOWS: ReadonlySet<string> = new Set(["View", "Help"]);
const MODIFIERS: ReadonlySet<string> = new Set(["Control", "Shift", "Alt", "Meta", "AltGraph"]);
const NAMED: Readonly<Record<string, string>> = { " ": "Space", Esc: "Escape", Del: "Delete" };
/** Keys that move the focus or open what has it: they are the canvas's only while it has the focus. */
const FOCAL = /^(Shift\+)?(Enter|Space|Tab|Arrow\w+)$/;
/** Keys that write nothing: they may act while one types, too. */
const SILENT = /^((Ctrl|Alt)\+.+|(Shift\+)?F\d+|Escape)$/;
/** Keys that buttons, tabs and lists understand themselves. */
const NATIVE = /^(Shift\+)?(Enter|Space|Tab|Home|End|PageUp|PageDown|Arrow\w+|Delete|Backspace)$/;

/**
 * "Ctrl+Shift+E": Ctrl, Alt, Shift in this order; ⌘ counts as Ctrl. Null for a modifier alone, and
 * for a letter or digit that was written with AltGr. A sign written with it is that sign alone.
 */
export function keyOf(event: Pressed): string | null {
  if (MODIFIERS.has(event.key)) return null;
  const written = writtenWithAltGr(event);
  const typed = written ? event.key : keyTyped(event);
  const key = typed.length === 1 ? typed.toUpperCase() : typed;
  // Where Shift only serves to type the sign, it is no part of the key.
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
 * The key by what it writes. By its place on the keyboard where Alt makes it write something else,
 * and where the keyboard has letters of another script: the keys are named in Latin letters.
 */
function keyTyped({ key, code, altKey }: Pressed): string {
  const placed = placeOf(code);
  const isPlain = /^[\da-z]$/i.test(key);
  const isForeign = /^\p{L}$/u.test(key) && !/^\p{Script=Latin}$/u.test(key);
  if (placed !== undefined && !isPlain && (altKey || isForeign)) return placed;
  return NAMED[key] ?? key;
}

function placeOf(code: string): string | undefined {
  return /^(?:Key|Digit)(\w)$/.exec(code)?.[1];
}

/**
 * Whether a sign was written with AltGr, as @ and € are on many keyboards. Windows reports AltGr as
 * Ctrl and Alt together. On a Mac, Option is Alt: there it makes a shortcut.
 */
function writtenWithAltGr(event: Pressed): boolean {
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

/** The keys of a command: the user's own, else the preset's, else those it came with. */
export function keysOf(
  command: Command,
  own = setting("calotype.keys"),
  preset = setting("calotype.keymap"),
): readonly string[] {
  return own[command.id] ?? PRESETS[preset]?.[command.id] ?? command.keys ?? [];
}

/** The first command of these keys that would do anything now; keys that were chosen go first. */
export function commandFor(key: string, all: readonly Command[]): Command | undefined {
  const [own, preset] = [setting("calotype.keys"), setting("calotype.keymap")];
  const able = all.filter((each) => keysOf(each, own, preset).includes(key) && isEnabled(each));
  return able.find((each) => each.keys?.includes(key) !== true) ?? able[0];
}

/** How keys are written for people, as their keyboard has them: "Ctrl ⇧ E" is no clearer than its words. */
export function shownKey(key: string): string {
  const parts = key === "+" ? ["+"] : key.split(/\+(?=.)/);
  return parts.map((each) => SIGNS[each] ?? translateMessage(NAMES[each] ?? each)).join(" ");
}

const SIGNS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
};

/** What is printed on keys, in English where it is not the key's own name. */
const NAMES: Readonly<Record<string, string>> = {
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

/** What a button says when one points at it: its words, and the key that its command has now. */
export function withKey(words: string, id: string): string {
  const key = keyFor(id);
  return key === undefined ? words : `${words}  ${key}`;
}

/** The first key of a command, as it is written for people. */
export function keyFor(id: string): string | undefined {
  const command = commandOf(id);
  const [key] = command === undefined ? [] : keysOf(command);
  return key === undefined ? undefined : shownKey(key);
}

/** Hears keys from now on. Returns what ends it. */
export function listenForKeys(): () => void {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    const key = keyOf(event);
    if (key === null) return;
    const command = commandFor(key, useCommands.getState().all);
    if (command === undefined || !mayAct(command, key, event.target)) {
      // The focus goes on by keys: so does the next Tab.
      if (/^(Shift\+)?Tab$/.test(key)) setTabAddsNode(false);
      return;
    }
    event.preventDefault();
    // A key that is held asks for one run, not for as many as it repeats.
    if (event.repeat && command.group === "Run") return;
    runCommand(command.id);
  };
  const point = () => setTabAddsNode(true);
  window.addEventListener("keydown", onKeyDown);
  window.addEventListener("pointerdown", point, true);
  return () => {
    window.removeEventListener("keydown", onKeyDown);
    window.removeEventListener("pointerdown", point, true);
  };
}

/** What a plugin's page that has the focus may ask for by keys: nothing that takes anything away. */
const FROM_PAGES: ReadonlySet<string> = new Set([
  "edit.undo",
  "edit.redo",
  "file.save",
  "run.run",
  "view.commands",
]);

/** A key that was pressed in a plugin's page, which had no use for it. */
export function handlePageKey(event: Pressed): void {
  const key = keyOf(event);
  const command = key === null ? undefined : commandFor(key, useCommands.getState().all);
  if (command !== undefined && FROM_PAGES.has(command.id)) runCommand(command.id);
}

function mayAct(command: Command, key: string, target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return true;
  if (target.closest(ABOVE) !== null || isBehind()) return false;
  // Nothing is typed into the gallery: the key that showed it hides it, too.
  if (target.closest(".history-grid") !== null && SHOWS.has(command.group)) return true;
  if (target.closest("[role=listbox]") !== null) return SILENT.test(key) && key !== "Escape";
  // The title of a frame has the focus, and is not being written.
  if (target.matches("input:read-only")) return SILENT.test(key);
  if (isTyping(target)) return command.fields === true && SILENT.test(key);
  if (/^(Ctrl|Alt)\+/.test(key)) return true;
  if (FOCAL.test(key) && !isOnCanvas(target)) return false;
  if (key === "Tab") return tabAddsNode();
  if (target.closest(".field") !== null) return command.fields === true && SILENT.test(key);
  const control = target.closest("button, a, summary, [role=tab], [role=slider], [role=separator]");
  return control === null || !NATIVE.test(key);
}

/** What had the focus in a dialog is gone, and the page has it: the dialog is still what one sees. */
function isBehind(): boolean {
  return document.querySelector("dialog:modal") !== null;
}

const ABOVE = "dialog, [role=dialog], [role=menu]";

/** Nothing has the focus, or the canvas itself, or one of its nodes, but none of their fields. */
function isOnCanvas(target: Element): boolean {
  return target.matches("html, body, .canvas, .canvas [data-node]");
}

/** Whether keys are text where the focus is. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, textarea, select, [contenteditable=true], .choices") !== null
  );
}

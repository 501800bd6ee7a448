/** Everyday words, and the command that each must find first. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { COMMANDS } from "../../src/state/commands/all";
import { commandsFor } from "../../src/state/finding/commandSearch";
import { ENGLISH } from "../../src/state/finding/commandWords";
import { GERMAN } from "../../src/state/finding/commandWordsGerman";
import { addCommands, useCommands } from "../../src/state/session/commandRegistry";
import { setLanguage } from "../../src/words/words";

const QUERIES: Readonly<Record<string, readonly string[]>> = {
  "run.run": ["run", "generate", "queue prompt", "start", "execute"],
  "run.stop": ["interrupt", "stop", "cancel", "abort"],
  "run.newSeed": ["new seed", "another picture", "random", "variation"],
  "run.selected": ["run selected", "run to here", "partial run"],
  "run.batch": ["batch", "grid", "xy plot"],
  "run.onChange": ["auto queue", "run on every change"],
  "run.showFailed": ["error", "failed node"],
  "view.fit": ["zoom to fit", "fit", "focus", "fit view", "center"],
  "view.zoomIn": ["zoom in", "closer"],
  "view.zoomOut": ["zoom out"],
  "view.zoomWhole": ["100", "actual size"],
  "arrange.tidyAll": ["arrange", "layout", "auto layout", "organize", "clean up"],
  "arrange.left": ["align left"],
  "arrange.distributeRow": ["distribute horizontally", "space evenly"],
  "help.keys": ["shortcuts", "hotkeys", "keyboard"],
  "help.changeKeys": ["keybindings", "remap"],
  "help.node": ["documentation", "manual"],
  "help.about": ["about", "version", "license"],
  "view.settings": ["preferences", "settings", "options", "config"],
  "file.openFile": ["import", "load file", "upload"],
  "file.download": ["export", "download", "save to disk"],
  "file.exportApi": ["api", "export api", "api format"],
  "result.pictureOnly": ["without metadata", "export picture"],
  "file.saveAs": ["save as", "save a copy"],
  "file.save": ["save"],
  "file.open": ["open", "load"],
  "file.new": ["new", "blank"],
  "file.templates": ["templates", "examples"],
  "file.missing": ["missing", "missing models"],
  "file.versions": ["backup", "versions"],
  "file.rename": ["rename workflow"],
  "file.close": ["close tab"],
  "file.reopen": ["reopen", "undo close"],
  "graph.refresh": ["refresh", "reload models", "refresh lists"],
  "subgraph.make": ["convert to subgraph", "subgraph"],
  "subgraph.unpack": ["ungroup", "unpack"],
  "view.logs": ["logs", "console", "terminal"],
  "machine.unload": ["unload", "unload models"],
  "machine.free": ["free memory", "vram", "clear cache"],
  "edit.copy": ["copy"],
  "edit.paste": ["paste"],
  "edit.duplicate": ["duplicate", "clone"],
  "edit.delete": ["delete", "remove"],
  "edit.undo": ["undo"],
  "edit.redo": ["redo"],
  "edit.selectAll": ["select all"],
  "graph.add": ["add node", "insert"],
  "graph.note": ["note", "comment"],
  "graph.group": ["group", "frame"],
  "node.bypass": ["bypass", "skip"],
  "node.mute": ["mute", "deactivate"],
  "node.collapse": ["collapse", "minimize"],
  "node.pin": ["pin", "lock"],
  "node.rename": ["rename the node"],
  "node.mask": ["mask editor", "inpaint"],
  "node.replace": ["replace"],
  "field.feed": ["convert widget to input"],
  "seed.keep": ["lock seed", "fix seed"],
  "queue.cancelAll": ["clear queue"],
  "queue.pause": ["pause"],
  "view.queue": ["queue", "jobs"],
  "history.show": ["history", "gallery"],
  "result.input": ["img2img", "send to input"],
  "result.compare": ["compare", "side by side"],
  "view.stage": ["big picture", "stage"],
  "view.stageWindow": ["second window", "pop out"],
  "view.theme": ["dark mode", "theme"],
  "view.minimap": ["minimap", "overview"],
  "view.outline": ["find node", "outline"],
  "view.inspector": ["properties", "inspector"],
  "view.library": ["browse nodes", "bookmarks", "all nodes"],
  "view.models": ["checkpoints", "model library"],
  "view.packs": ["custom nodes", "plugins", "manager"],
  "view.app": ["app", "form"],
  "view.timings": ["performance"],
  "view.quietWires": ["hide links"],
  "wire.portal": ["hide wire"],
  "wire.addPoint": ["reroute"],
};

const GERMAN_QUERIES: Readonly<Record<string, readonly string[]>> = {
  "run.run": ["generieren", "starten"],
  "run.stop": ["abbrechen", "stopp"],
  "view.fit": ["einpassen"],
  "arrange.tidyAll": ["anordnen", "layout"],
  "view.settings": ["einstellungen", "optionen"],
  "file.openFile": ["importieren"],
  "file.download": ["exportieren"],
  "file.saveAs": ["speichern unter"],
  "help.keys": ["tastenkürzel"],
  "view.logs": ["protokoll", "konsole"],
  "machine.unload": ["entladen"],
  "graph.refresh": ["aktualisieren"],
  "edit.copy": ["kopieren"],
  "node.bypass": ["umgehen", "bypass"],
};

const pairs = (all: typeof QUERIES) =>
  Object.entries(all).flatMap(([id, words]) => words.map((word) => [word, id] as const));
const first = (typed: string) => commandsFor(useCommands.getState().all, typed)[0]?.id;

beforeAll(() => {
  addCommands(COMMANDS);
});

test("there are 120 everyday queries, each about a command that exists", () => {
  expect(pairs(QUERIES).length).toBeGreaterThanOrEqual(120);
  const known = new Set(COMMANDS.map(({ id }) => id));
  const named = [QUERIES, GERMAN_QUERIES, ENGLISH, GERMAN].flatMap(Object.keys);
  expect(named.filter((id) => !known.has(id))).toEqual([]);
});

test.each(pairs(QUERIES))("%s finds %s first", (typed, id) => {
  expect(first(typed)).toBe(id);
});

describe("in German", () => {
  beforeAll(async () => {
    vi.stubGlobal("document", { documentElement: {} });
    await setLanguage("de");
  });
  afterAll(async () => {
    await setLanguage("en");
    vi.unstubAllGlobals();
  });

  test.each(pairs(GERMAN_QUERIES))("%s finds %s first", (typed, id) => {
    expect(first(typed)).toBe(id);
  });
});

test("a word with a letter missing finds a command, and nonsense finds none", () => {
  expect(commandsFor(COMMANDS, "setings").map(({ id }) => id)).toContain("view.settings");
  expect(commandsFor(COMMANDS, "qqxzz")).toEqual([]);
});

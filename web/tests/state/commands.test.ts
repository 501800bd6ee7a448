/** Consistency of the tables of commands, keys and settings. */
import { afterEach, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/state/commands/all";
import { commandFor, keyOf, keysOf, shownKey } from "../../src/state/commands/keymap";
import {
  addCommands,
  commandOf,
  isEnabled,
  runCommand,
  useCommands,
} from "../../src/state/session/commandRegistry";
import { SETTINGS, setting, useSettings } from "../../src/state/session/settings";
import { activeTab, changeTab, leaveApp, showsApp } from "../../src/state/session/studio";
import { useView } from "../../src/state/session/view";

function pressed(key: string, held: string[] = [], code = "") {
  return {
    key,
    code,
    ctrlKey: held.includes("Ctrl"),
    metaKey: held.includes("Meta"),
    altKey: held.includes("Alt"),
    shiftKey: held.includes("Shift"),
    getModifierState: (name: string) => held.includes(name),
  };
}

test.each([
  [pressed("b", ["Ctrl"]), "Ctrl+B"],
  [pressed("b", ["Meta"]), "Ctrl+B"],
  [pressed("E", ["Ctrl", "Shift"]), "Ctrl+Shift+E"],
  [pressed("ç", ["Alt"], "KeyC"), "Alt+C"],
  [pressed("?", ["Shift"]), "?"],
  [pressed("+", []), "+"],
  [pressed(" "), "Space"],
  [pressed("ArrowLeft", ["Ctrl"]), "Ctrl+ArrowLeft"],
  [pressed("A", ["Shift"]), "Shift+A"],
  [pressed("Shift", ["Shift"]), null],
  // AltGr, as reported by Windows: Ctrl and Alt together, or by its own name.
  [pressed("ą", ["Ctrl", "Alt"], "KeyA"), null],
  [pressed("µ", ["Ctrl", "Alt"], "KeyM"), null],
  [pressed("€", ["Ctrl", "Alt"], "KeyE"), "€"],
  [pressed("@", ["AltGraph"], "KeyQ"), "@"],
  [pressed("[", ["Ctrl", "Alt", "AltGraph"], "Digit8"), "["],
  [pressed("b", ["Ctrl", "Alt", "AltGraph"], "KeyB"), null],
  [pressed("²", ["AltGraph"], "Digit2"), null],
  [pressed("Enter", ["Ctrl", "Alt", "AltGraph"]), "Ctrl+Alt+Enter"],
  // Real Ctrl and Alt, on keyboards of any kind.
  [pressed("b", ["Ctrl", "Alt"], "KeyB"), "Ctrl+Alt+B"],
  [pressed("a", ["Ctrl", "Alt"], "KeyQ"), "Ctrl+Alt+A"],
  [pressed("и", ["Ctrl", "Alt"], "KeyB"), "Ctrl+Alt+B"],
  [pressed("я", ["Ctrl"], "KeyZ"), "Ctrl+Z"],
])("%o is the key %s", (event, key) => {
  expect(keyOf(event)).toBe(key);
});

test("the first command that would do anything has the key", () => {
  let able = false;
  const run = () => undefined;
  const all = [
    { id: "a.one", title: "One", group: "Edit", keys: ["X"], enabled: () => able, run },
    { id: "a.two", title: "Two", group: "Edit", keys: ["X", "Y"], run },
  ] as const;
  expect(commandFor("X", all)?.id).toBe("a.two");
  able = true;
  expect(commandFor("X", all)?.id).toBe("a.one");
  useSettings.setState({ values: { "calotype.keys": { "a.one": ["Z"] } } });
  expect(keysOf(all[0])).toEqual(["Z"]);
  expect(commandFor("X", all)?.id).toBe("a.two");
  expect(commandFor("Z", all)?.id).toBe("a.one");
  useSettings.setState({ values: {} });
});

test("keys of another editor win over those that other commands came with", () => {
  const run = () => undefined;
  const all = [
    { id: "view.models", title: "Models", group: "View", keys: ["M"], run },
    { id: "node.mute", title: "Mute", group: "Node", keys: ["Ctrl+M"], run },
  ] as const;
  expect(commandFor("M", all)?.id).toBe("view.models");
  useSettings.setState({ values: { "calotype.keymap": "blender" } });
  expect(commandFor("M", all)?.id).toBe("node.mute");
  expect(commandFor("Ctrl+M", all)?.id).toBe("node.mute");
  useSettings.setState({ values: {} });
});

test("every command has a name of its own, and no two plain commands the same key", () => {
  const remove = addCommands(COMMANDS);
  expect(() => addCommands(COMMANDS.slice(0, 1))).toThrow("already");
  expect(commandOf("edit.undo")?.title).toBe("Undo");
  remove();
  expect(useCommands.getState().all).toEqual([]);
  const taken = new Map<string, string>();
  for (const { id, keys, enabled } of COMMANDS) {
    for (const key of enabled === undefined ? (keys ?? []) : []) {
      expect(taken.get(key), `${key} of ${id}`).toBeUndefined();
      taken.set(key, id);
    }
  }
});

test.each([
  ["Ctrl+Shift+E", "Ctrl Shift E"],
  ["Ctrl+ArrowLeft", "Ctrl ←"],
  ["+", "+"],
  ["Ctrl++", "Ctrl +"],
])("%s is shown as %s", (key, shown) => {
  expect(shownKey(key)).toBe(shown);
});

test("a setting of the wrong kind is what it was made as", () => {
  expect(setting("calotype.theme")).toBe("dark");
  useSettings.setState({ values: { "calotype.theme": "pink", "calotype.keys": null } });
  expect(setting("calotype.theme")).toBe("dark");
  expect(setting("calotype.keys")).toEqual({});
  useSettings.setState({ values: {} });
});

test("settings are few, and each says why", () => {
  expect(Object.keys(SETTINGS).length).toBeLessThanOrEqual(40);
  for (const { why } of Object.values(SETTINGS)) expect(why.length).toBeGreaterThan(20);
});

describe("beside the form of an app", () => {
  const asApp = () => changeTab(activeTab().id, () => ({ app: true }));
  afterEach(() => {
    leaveApp();
    useView.setState({ dock: null });
  });

  test("nothing is edited that is out of sight", () => {
    const remove = addCommands(COMMANDS);
    asApp();
    const able = COMMANDS.filter(isEnabled).map(({ id }) => id);
    expect(able).not.toContain("edit.selectAll");
    expect(able).not.toContain("graph.note");
    expect(able).toEqual(expect.arrayContaining(["view.commands", "run.run", "file.new"]));
    expect(commandFor("Delete", COMMANDS)).toBeUndefined();
    remove();
  });

  test("what lies beside the graph is shown beside it", () => {
    const remove = addCommands(COMMANDS);
    useView.setState({ dock: "queue" });
    asApp();
    runCommand("view.queue");
    expect(useView.getState().dock).toBe("queue");
    expect(showsApp()).toBe(false);
    asApp();
    runCommand("view.closePalette");
    expect(showsApp()).toBe(true);
    remove();
  });
});

test("a plugin takes no keys away from the editor, whatever came first", () => {
  const run = () => undefined;
  const removes = [
    addCommands([{ id: "extension.a.save", title: "A", group: "Graph", keys: ["Ctrl+S"], run }]),
    addCommands([{ id: "file.save", title: "Save", group: "File", keys: ["Ctrl+S"], run }]),
  ];
  expect(commandFor("Ctrl+S", useCommands.getState().all)?.id).toBe("file.save");
  for (const remove of removes) remove();
});

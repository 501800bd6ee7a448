/**
 * Documentation pages that are generated from the editor's tables. Fails with a diff where one is
 * out of date; `npm run pages` writes them again.
 */
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import declared from "../../package.json";
import { COMMANDS } from "../../src/state/commands/all";
import { keysOf, shownKey } from "../../src/state/commands/keymap";
import { PRESETS } from "../../src/state/commands/presets";
import type { Command, CommandGroup } from "../../src/state/session/commandRegistry";
import { SETTINGS, type Setting } from "../../src/state/session/settings";
import { german } from "../../src/words/german";

const DOCS = resolve(import.meta.dirname, "../../../docs");
const MADE = "<!-- Made from the editor's tables by `npm run pages` in web/. -->";

/** Memory flags of the server, which are not settings of the editor. */
const MEMORY = [
  "## Memory",
  "",
  "| flag | what | default |",
  "| --- | --- | --- |",
  "| `--vram SIZE` | memory of the device for weights and activations, never exceeded; on the CPU it is main memory | most of the memory free at the start |",
  "| `--reserve-vram SIZE` | memory of the device reserved for other programs | 0 |",
  "| `--cache SIZE` | main memory for cached results | 25% |",
  "",
  "A size is `4GB`, `500MB`, `2.5` (gigabytes) or a share such as `50%`. Weights that do not fit are streamed block by block while the network runs. ComfyUI's `--gpu-only` and `--highvram` are `--vram 100%`; `--lowvram` keeps weights in at most a quarter of that memory, `--novram` keeps none there longer than the call of a block, `--normalvram` is the default, `--vram-headroom` is `--reserve-vram`, and `--cpu` is `--device cpu`. `/system_stats` shows the resulting budget.",
].join("\n");

/** Names of nodes, which are not translated. */
const NODES = ["Load Checkpoint", "Prompt", "Custom Combo", "Painter", "Webcam Capture"];
const GROUPS: readonly CommandGroup[] = ["File", "Edit", "Graph", "Node", "View", "Run", "Help"];

test("docs/keys.md lists every command with its keys", async () => {
  await expect(keysPage()).toMatchFileSnapshot(resolve(DOCS, "keys.md"));
});

test("docs/settings.md lists every setting with its why", async () => {
  await expect(settingsPage()).toMatchFileSnapshot(resolve(DOCS, "settings.md"));
});

test("docs/libraries.md has every dependency, and none that is gone", () => {
  const page = readFileSync(resolve(DOCS, "libraries.md"), "utf8");
  const rows = page.slice(page.indexOf("## The editor")).matchAll(/^\| ([^|]+) \|/gm);
  const listed = [...rows].flatMap(([, names = ""]) => names.split(", "));
  const expected = ["package", "---", ...Object.keys(declared.dependencies)];
  expect(listed.sort()).toEqual(expected.sort());
});

test.each(["editor.md", "wires.md"])("what docs/%s calls by name is called so", (name) => {
  const page = readFileSync(resolve(DOCS, name), "utf8");
  const named = [...page.matchAll(/(?<![\w*])\*(\p{Lu}[^*\n]+)\*(?!\*)/gu)].map(
    ([, words]) => words,
  );
  const sentences = new Set([...Object.keys(german), ...NODES]);
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((words = "") => !sentences.has(words))).toEqual([]);
});

test("every picture of the guide is in it, and shown by it alone", () => {
  const guide = readFileSync(resolve(DOCS, "editor.md"), "utf8");
  const shown = [...guide.matchAll(/pictures\/([\w-]+\.webp)/g)].map(([, name]) => name);
  expect(shown.sort()).toEqual(readdirSync(resolve(DOCS, "pictures")).sort());
});

function keysPage(): string {
  const groups = GROUPS.map((group) => ({
    group,
    commands: COMMANDS.filter((each) => each.group === group).sort(byHavingKeys),
  }));
  return page(
    "# Commands and their keys",
    MADE,
    "Every action is a command. `Ctrl+K` finds it by its name; *Settings*, *Change the keys* changes or removes its keys. On a Mac, ⌘ is Ctrl. Keys without Ctrl or Alt work while no field has the focus. If two commands share a key, the first one that would have an effect runs. [The guide](editor.md) describes the mouse, [wires](wires.md) how to work with wires.",
    ...groups.flatMap(({ group, commands }) => [
      `## ${group}`,
      table(
        ["command", "keys"],
        commands.map((each) => [each.title, written(keysOf(each, {}, "comfyui"))]),
      ),
    ]),
    "## Keys of other editors",
    "*Settings*, *Key preset* replaces the keys above by these; keys that are not listed stay.",
    ...Object.entries(PRESETS)
      .filter(([, keys]) => Object.keys(keys).length > 0)
      .map(([name]) => presetTable(name)),
  );
}

/** Commands with keys before those without; otherwise in their own order. */
function byHavingKeys(one: Command, other: Command): number {
  return Number(one.keys === undefined) - Number(other.keys === undefined);
}

function presetTable(name: string): string {
  const changed = COMMANDS.filter(({ id }) => id in (PRESETS[name] ?? {}));
  const named = SETTINGS["calotype.keymap"].choices as Readonly<Record<string, string>>;
  return table(
    [named[name] ?? name, "keys"],
    changed.map((each: Command) => [each.title, written(keysOf(each, {}, name))]),
  );
}

function written(keys: readonly string[]): string {
  return keys.map((each) => `\`${shownKey(each).replaceAll(" ", "+")}\``).join(", ");
}

function settingsPage(): string {
  const groups = groupedBy(Object.values<Setting>(SETTINGS), ({ group }) => group);
  return page(
    "# Settings",
    MADE,
    "`Ctrl+,` opens them; they can be searched. They are stored on the server, in the user directory, so they are the same in every browser. Plugins may [add their own](extensions.md).",
    "Folders, device and [access](http_api.md#ways-in) are set by flags (`python main.py serve --help`); folders, `device`, `dtype`, `cache`, `vram`, `reserve_vram` and `embed_metadata = false` (no workflow, prompt or record in saved files) can also be set in `calotype.toml` in the user directory.",
    MEMORY,
    ...[...groups].flatMap(([group, settings]) => [
      `## ${group}`,
      table(
        ["setting", "reason", "values (default in **bold**)"],
        settings.map((each) => [each.title, each.why, valuesOf(each)]),
      ),
    ]),
  );
}

function valuesOf(setting: Setting): string {
  switch (setting.kind) {
    case "toggle":
      return setting.standard ? "**on**, off" : "on, **off**";
    case "choice":
      return Object.entries(setting.choices)
        .map(([key, words]) => (key === setting.standard ? `**${words}**` : words))
        .join(", ");
    case "number":
      return `${setting.min} to ${setting.max}, **${setting.standard}**`;
    case "text":
      return setting.standard === "" ? "a text" : `**${setting.standard}**`;
    case "keys":
      return "[keys by command](keys.md)";
    case "names":
      return "names of classes; set in the [node library](editor.md#the-node-library)";
  }
}

function groupedBy<Each>(all: readonly Each[], group: (each: Each) => string): Map<string, Each[]> {
  const groups = new Map<string, Each[]>();
  for (const each of all) groups.set(group(each), [...(groups.get(group(each)) ?? []), each]);
  return groups;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) =>
    `| ${cells.map((each) => each.replaceAll("|", "\\|")).join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

function page(...parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}

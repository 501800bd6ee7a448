/** Announcements of edits, in each language. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type EditLabel, labelOf, readLabel, writtenLabel } from "../../src/document/editLabel";
import { announceAll, useAnnouncements } from "../../src/state/outcomes/announcements";
import { activeEditor } from "../../src/state/session/editor";
import { edit, undoEdit } from "../../src/state/session/studio";
import { type Language, setLanguage, translateMessage } from "../../src/words/words";
import { sourcesOf } from "../house/sources";

let end: () => void;

beforeEach(() => {
  vi.stubGlobal("document", { documentElement: {} });
  useAnnouncements.setState({ lines: [] });
  end = announceAll();
});
afterEach(async () => {
  end();
  await setLanguage("en");
  vi.unstubAllGlobals();
});

const change = (label: EditLabel) =>
  edit(activeEditor(), label, (draft) => {
    draft.lastNodeId += 1;
  });
const lines = () => useAnnouncements.getState().lines.map(({ text }) => text);

test.each<[Language, string[]]>([
  ["en", ["Add Sampler", "Insert Sampler", "Replace with Sampler", "Delete"]],
  ["de", ["Sampler hinzufügen", "Sampler einfügen", "Durch Sampler ersetzen", "Löschen"]],
])(
  "in %s, nodes that are added, inserted, replaced and deleted are announced",
  async (language, words) => {
    await setLanguage(language);
    change(labelOf("Add {{name}}", { name: "Sampler" }));
    change(labelOf("Insert {{node}}", { node: "Sampler" }));
    change(labelOf("Replace with {{node}}", { node: "Sampler" }));
    change("Delete");
    change("Move");
    expect(lines()).toEqual(words);
  },
);

test("an edit is named in the language that is chosen when it is shown, not when it was made", async () => {
  change(labelOf("Add {{name}}", { name: "Sampler" }));
  await setLanguage("de");
  const named = () => translateMessage(activeEditor().tab.log.done.at(-1)?.label ?? "");
  expect(named()).toBe("Sampler hinzufügen");
  undoEdit(activeEditor());
  expect(lines()).toEqual(["Add Sampler", "Rückgängig: Sampler hinzufügen"]);
  await setLanguage("en");
  expect(translateMessage(activeEditor().tab.log.undone.at(-1)?.label ?? "")).toBe("Add Sampler");
});

test("a label in the list of versions is read back; any other text stays as it is", () => {
  const label = labelOf("Add {{name}}", { name: 'A "quoted" {{name}}' });
  expect(readLabel(writtenLabel(label))).toEqual(label);
  for (const text of ["Move", "", "{", "{}", '{"key":1}', "[1]"])
    expect(readLabel(text)).toBe(text);
  expect(writtenLabel("Move")).toBe("Move");
});

test("no edit is named by words of one language", () => {
  const frozen = sourcesOf("src").filter(({ text }) =>
    /\b(edit|editAt|change\w+)\(\s*(\w+,\s*|\{[^}]*\},\s*)?t\(/.test(text),
  );
  expect(frozen.map(({ path }) => path)).toEqual([]);
});

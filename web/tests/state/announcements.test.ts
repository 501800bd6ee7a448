/** Announcements of edits, in each language. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { announceAll, useAnnouncements } from "../../src/state/outcomes/announcements";
import { activeEditor } from "../../src/state/session/editor";
import { edit } from "../../src/state/session/studio";
import { type Language, setLanguage, t } from "../../src/words/words";

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

const change = (label: string) =>
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
    change(t("Add {{name}}", { name: "Sampler" }));
    change(t("Insert {{node}}", { node: "Sampler" }));
    change(t("Replace with {{node}}", { node: "Sampler" }));
    change("Delete");
    change("Move");
    expect(lines()).toEqual(words);
  },
);

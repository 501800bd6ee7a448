/** Pasting, and reading a clipboard's text or HTML. */
import { expect, test, vi } from "vitest";
import { paste, readClipboard } from "../../src/state/editing/clipboard";
import { Editor } from "../../src/state/session/editor";
import { openWorkflow, useStudio } from "../../src/state/session/studio";
import { useView } from "../../src/state/session/view";

const nodes = { nodes: [{ id: 1, type: "Any" }], links: [] };
const text = JSON.stringify(nodes);

test("nodes are read from plain text, and from where ComfyUI hides them in HTML", () => {
  expect(readClipboard({ text: `  ${text}`, html: "" })).toEqual(nodes);
  const html = `<meta charset="utf-8"><div><span data-metadata="${btoa(text)}"></span></div>Text`;
  expect(readClipboard({ text: "Text", html })).toEqual(nodes);
});

test("a prompt in API form is a workflow, too", () => {
  const prompt = { "3": { class_type: "KSampler", inputs: {} } };
  expect(readClipboard({ text: JSON.stringify(prompt), html: "" })).toEqual(prompt);
});

test.each([
  ["words", "a sailing boat"],
  ["other JSON", '{"a": 1}'],
  ["broken JSON", '{"nodes": ['],
])("%s are no nodes", (_name, given) => {
  expect(readClipboard({ text: given, html: "" })).toBeNull();
});

test("what only looks hidden in HTML is nothing", () => {
  expect(readClipboard({ text: "", html: '<span data-metadata="A">' })).toBeNull();
});

test("a graph in API form is pasted where the user wants it: here, or in a tab of its own", async () => {
  const editor = new Editor(openWorkflow({ nodes: [], links: [] }, { name: "here" }));
  const prompt = { "3": { class_type: "KSampler", inputs: {} } };
  paste(editor, { text: JSON.stringify(prompt), html: "" }, { x: 0, y: 0 }, false);
  expect(editor.graph.order).toEqual([]);
  const { notice } = useView.getState();
  const tabs = useStudio.getState().tabs.length;
  notice?.others?.[0]?.run();
  await vi.waitFor(() => expect(editor.graph.order).toHaveLength(1));
  expect(useStudio.getState().tabs).toHaveLength(tabs);
  notice?.action?.run();
  await vi.waitFor(() => expect(useStudio.getState().tabs).toHaveLength(tabs + 1));
});

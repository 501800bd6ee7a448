/** Reading a clipboard's text or HTML. */
import { expect, test } from "vitest";
import { readClipboard } from "../../src/state/editing/clipboard";

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

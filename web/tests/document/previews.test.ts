/**
 * Previews are turned off node by node, and the file stores that beside properties of other
 * editors.
 */
import { expect, it } from "vitest";
import { previewsOf, setPreviews } from "../../src/document/previews";
import { readGraph } from "../../src/document/read";
import { writeGraph } from "../../src/document/write";

const layout = () => undefined;

function saved(properties: Record<string, string | { colour: string }>) {
  return {
    nodes: [{ id: 1, type: "KSampler", pos: [0, 0], size: [10, 10], properties }],
    links: [],
    version: 0.4,
  };
}

it("keeps what stands beside it, and leaves nothing when it is undone", () => {
  const before = saved({ "Node name for S&R": "KSampler", calotype: { colour: "red" } });
  const graph = structuredClone(readGraph(before, layout));
  const node = () => graph.nodes["1"];
  expect(node() && previewsOf(node() as never)).toBe(true);
  setPreviews(graph, ["1"], false);
  expect(previewsOf(node() as never)).toBe(false);
  expect(JSON.stringify(writeGraph(graph))).toContain(
    '"calotype":{"colour":"red","preview":false}',
  );
  setPreviews(graph, ["1"], true);
  expect(JSON.stringify(writeGraph(graph))).toContain('"calotype":{"colour":"red"}');
});

it("leaves no key of its own where it says nothing", () => {
  const graph = structuredClone(readGraph(saved({}), layout));
  setPreviews(graph, ["1"], false);
  setPreviews(graph, ["1"], true);
  expect(JSON.stringify(writeGraph(graph))).not.toContain("calotype");
});

/** Candidates to connect a node to, their order, and wires described in words. */
import { expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import type { Workflow } from "../../src/document/graph";
import { readGraph } from "../../src/document/read";
import { candidatesFor, socketsAt } from "../../src/state/finding/candidates";
import { connectionsText, nameIn } from "../../src/state/nodes/naming";
import { layoutOf } from "../../src/state/nodes/widgets";

const CATALOG = readCatalog({
  Loader: { input: { required: {} }, output: ["MODEL", "CLIP"], output_name: ["MODEL", "CLIP"] },
  Encode: {
    input: { required: { clip: ["CLIP"], text: ["STRING", { default: "" }] } },
    output: ["CONDITIONING"],
    output_name: ["CONDITIONING"],
  },
  Sampler: {
    input: { required: { model: ["MODEL"], positive: ["CONDITIONING"], seed: ["INT", {}] } },
    output: ["LATENT"],
    output_name: ["LATENT"],
  },
  Number: { input: { required: {} }, output: ["INT"], output_name: ["INT"] },
  Anything: { input: { required: { any: ["*"] } }, output: ["*"], output_name: ["any"] },
});

/** Loader 1 feeds Encode 2, which feeds Sampler 3; Encode 4 has no wires and is far away. */
function graph(): Workflow {
  const node = (id: number, type: string, x: number, inputs: object[], outputs: object[]) => ({
    id,
    type,
    pos: [x, 0],
    size: [200, 100],
    inputs,
    outputs,
  });
  const saved = {
    nodes: [
      node(
        1,
        "Loader",
        0,
        [],
        [
          { name: "MODEL", type: "MODEL", links: [] },
          { name: "CLIP", type: "CLIP", links: [1] },
        ],
      ),
      node(
        2,
        "Encode",
        300,
        [{ name: "clip", type: "CLIP", link: 1 }],
        [{ name: "CONDITIONING", type: "CONDITIONING", links: [2] }],
      ),
      node(
        3,
        "Sampler",
        600,
        [{ name: "positive", type: "CONDITIONING", link: 2 }],
        [{ name: "LATENT", type: "LATENT", links: [] }],
      ),
      node(4, "Encode", 3000, [{ name: "clip", type: "CLIP", link: null }], []),
      node(5, "Anything", 10, [{ name: "any", type: "*", link: null }], []),
      node(6, "Number", 10, [], []),
    ],
    links: [
      [1, 1, 1, 2, 0, "CLIP"],
      [2, 2, 0, 3, 0, "CONDITIONING"],
    ],
    version: 0.4,
  };
  return readGraph(saved as never, (type) => {
    const schema = CATALOG[type];
    return schema === undefined ? undefined : layoutOf(schema);
  });
}

const found = (node: string, socket: string, side: "output" | "input", type: string) =>
  candidatesFor(graph(), CATALOG, { node, socket, side, type }).map(
    (each) => `${each.node}.${each.socket}`,
  );

test("what fits closest comes first, free before taken, near before far", () => {
  expect(found("1", "1", "output", "CLIP")).toEqual(["4.clip", "5.any"]);
  expect(found("4", "0", "output", "CONDITIONING")).toEqual(["3.positive", "5.any"]);
});

test("an input is offered what makes its type, never what would close a circle", () => {
  expect(found("3", "model", "input", "MODEL")).toEqual(["1.0", "5.0"]);
  expect(found("2", "clip", "input", "CLIP")).toEqual(["5.0"]);
});

test("a field may take a wire, too, and what is taken is said", () => {
  expect(found("6", "0", "output", "INT")).toEqual(["3.seed", "5.any"]);
  const [first] = candidatesFor(graph(), CATALOG, {
    node: "4",
    socket: "0",
    side: "output",
    type: "CONDITIONING",
  });
  expect(first?.taken).toBe("Encode #2");
});

test("a node's sockets are its outputs, its inputs and its fields, with what hangs on them", () => {
  const sockets = socketsAt(graph(), CATALOG, "2");
  expect(sockets.map(({ side, label, joined }) => [side, label, joined])).toEqual([
    ["output", "CONDITIONING", ["Sampler"]],
    ["input", "clip", ["Loader"]],
    ["input", "text", []],
  ]);
});

test("nodes that are called the same have their numbers, and wires are told in words", () => {
  expect(nameIn(graph(), CATALOG, "4")).toBe("Encode #4");
  expect(nameIn(graph(), CATALOG, "3")).toBe("Sampler");
  expect(connectionsText(graph(), CATALOG, "2")).toBe(
    "receives clip from Loader; sends CONDITIONING to Sampler",
  );
});

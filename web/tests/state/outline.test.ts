/** The document as a tree: frames, subgraphs, the order of nodes, finding by typed letters. */
import { expect, test } from "vitest";
import type { Workflow } from "../../src/document/graph";
import { readGraph } from "../../src/document/read";
import { type Folds, outlineOf, rowStartingWith } from "../../src/state/nodes/outline";

const OPEN: Folds = { closed: new Set(), opened: new Set() };

/**
 * A frame with a node in it, two nodes whose data flow opposes the order of the file, a subgraph.
 */
function workflow(): Workflow {
  const node = (id: number, type: string, pos: number[], links: object) => ({
    id,
    type,
    pos,
    size: [100, 50],
    ...links,
  });
  const saved = {
    nodes: [
      node(1, "Last", [0, 0], { inputs: [{ name: "a", type: "A", link: 1 }], outputs: [] }),
      node(2, "First", [400, 0], { inputs: [], outputs: [{ name: "A", type: "A", links: [1] }] }),
      node(3, "Framed", [1040, 1040], { inputs: [], outputs: [] }),
      node(4, "inside", [600, 0], { inputs: [], outputs: [] }),
    ],
    links: [[1, 2, 0, 1, 0, "A"]],
    groups: [{ id: 7, title: "A frame", bounding: [1000, 1000, 300, 200] }],
    version: 0.4,
    definitions: {
      subgraphs: [
        {
          id: "inside",
          version: 1,
          name: "Inside",
          inputs: [],
          outputs: [],
          nodes: [node(9, "Deep", [0, 0], { inputs: [], outputs: [] })],
          links: [],
        },
      ],
    },
  };
  return readGraph(saved as never, () => undefined);
}

const shown = (folds: Folds) =>
  outlineOf(workflow(), {}, folds).map(({ title, level, place, count, open }) =>
    [title, level, `${place}/${count}`, open].join(" "),
  );

test("frames hold their nodes, and a node comes after those that feed it", () => {
  expect(shown(OPEN)).toEqual([
    "A frame 1 1/4 true",
    "Framed 2 1/1 ",
    "First 1 2/4 ",
    "Last 1 3/4 ",
    "inside 1 4/4 false",
  ]);
});

test("a subgraph that is opened shows its inside one level deeper, a closed frame nothing", () => {
  const [frame] = outlineOf(workflow(), {}, OPEN);
  const folds = { closed: new Set([frame?.id ?? ""]), opened: new Set(["4"]) };
  const rows = outlineOf(workflow(), {}, folds);
  expect(rows.map(({ title, level }) => `${title} ${level}`)).toEqual([
    "A frame 1",
    "First 1",
    "Last 1",
    "inside 1",
    "Inputs 2",
    "Outputs 2",
    "Deep 2",
  ]);
  expect(rows.at(-1)).toMatchObject({ id: "4:9", path: ["4"], key: "9" });
});

test("rows are found by how their titles begin, from where one is and round", () => {
  const rows = outlineOf(workflow(), {}, OPEN);
  expect(rowStartingWith(rows, "fr", 0)).toBe(1);
  expect(rowStartingWith(rows, "F", 2)).toBe(2);
  expect(rowStartingWith(rows, "f", 3)).toBe(1);
  expect(rowStartingWith(rows, "nothing", 0)).toBe(-1);
});

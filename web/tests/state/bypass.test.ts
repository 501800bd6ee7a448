/** What a bypassed node passes through, and what a muted one stops. */
import { expect, test } from "vitest";
import type { Catalog } from "../../src/api/catalog";
import type { NodeSchema } from "../../src/api/types";
import { setMode } from "../../src/document/edit";
import { MODE, type Workflow } from "../../src/document/graph";
import { EMPTY_LOG, record } from "../../src/document/log";
import { readGraph } from "../../src/document/read";
import { bypassRoutes, idleParts } from "../../src/state/nodes/bypass";

const input = (name: string, type: string, section = "required") => ({
  name,
  type,
  section,
  options: {},
  choices: null,
  folder: null,
});
const schema = (inputs: readonly object[]) => ({ inputs, outputs: [] }) as unknown as NodeSchema;
const CATALOG: Catalog = {
  Load: schema([]),
  Change: schema([
    input("strength", "FLOAT"),
    input("image", "IMAGE"),
    input("mask", "MASK", "optional"),
  ]),
  Save: schema([input("image", "IMAGE")]),
};

/** Load (image, mask) feeds Change, which feeds Save. */
function sample(modes: Record<string, number> = {}): Workflow {
  const slot = (name: string, type: string, link: number | null = null) => ({ name, type, link });
  const graph = readGraph(
    {
      nodes: [
        {
          id: 1,
          type: "Load",
          outputs: [
            { name: "IMAGE", type: "IMAGE", links: [1] },
            { name: "MASK", type: "MASK", links: [2] },
          ],
        },
        {
          id: 2,
          type: "Change",
          inputs: [slot("mask", "MASK", 2), slot("image", "IMAGE", 1)],
          outputs: [{ name: "IMAGE", type: "IMAGE", links: [3] }],
        },
        { id: 3, type: "Save", inputs: [slot("image", "IMAGE", 3)] },
      ],
      links: [
        [1, 1, 0, 2, 1, "IMAGE"],
        [2, 1, 1, 2, 0, "MASK"],
        [3, 2, 0, 3, 0, "IMAGE"],
      ],
    },
    () => undefined,
  );
  return record({ graph, log: EMPTY_LOG }, "modes", (draft) => {
    for (const [key, mode] of Object.entries(modes)) setMode(draft, [key], mode);
  }).graph;
}

const idle = (modes: Record<string, number>) => {
  const { nodes, links } = idleParts(sample(modes), CATALOG);
  return { nodes: [...nodes], links: [...links] };
};

test("a bypassed node hands the input of the same type to its output", () => {
  const graph = sample();
  const node = graph.nodes["2"];
  expect(node && bypassRoutes(graph, node)).toEqual([{ input: "image", output: 0, type: "IMAGE" }]);
});

test("an input that takes anything hands on only what the output's target takes", () => {
  const slot = (type: string, link: number | null) => ({ name: "x", type, link });
  const graph = (wanted: string) =>
    readGraph(
      {
        nodes: [
          { id: 1, type: "Load", outputs: [{ name: "MODEL", type: "MODEL", links: [1] }] },
          {
            id: 2,
            type: "Show",
            mode: MODE.bypassed,
            inputs: [slot("*", 1)],
            outputs: [{ name: "STRING", type: "STRING", links: [2] }],
          },
          { id: 3, type: "Take", inputs: [slot(wanted, 2)] },
        ],
        links: [
          [1, 1, 0, 2, 0, "MODEL"],
          [2, 2, 0, 3, 0, wanted],
        ],
      },
      () => undefined,
    );
  const text = graph("STRING");
  const show = text.nodes["2"];
  expect(show && bypassRoutes(text, show)).toEqual([]);
  expect([...idleParts(text, CATALOG).nodes]).toEqual(["3"]);
  expect([...idleParts(graph("MODEL"), CATALOG).nodes]).toEqual([]);
  expect([...idleParts(graph("*"), CATALOG).nodes]).toEqual([]);
});

test("nothing is idle where all runs, nor behind a bypassed node that hands on", () => {
  expect(idle({})).toEqual({ nodes: [], links: [] });
  expect(idle({ "2": MODE.bypassed })).toEqual({ nodes: [], links: [] });
});

test("what a muted node would feed does not run, as far as it must have it", () => {
  expect(idle({ "2": MODE.muted })).toEqual({ nodes: ["3"], links: ["1", "2", "3"] });
  expect(idle({ "1": MODE.muted })).toEqual({ nodes: ["2", "3"], links: ["1", "2", "3"] });
  expect(idle({ "1": MODE.muted, "2": MODE.bypassed })).toEqual({
    nodes: ["3"],
    links: ["1", "2", "3"],
  });
});

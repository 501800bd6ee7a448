/** A failure is dimmed once its node, or anything upstream of it, was edited. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import type { ExecutionError } from "../../src/api/types";
import { moveNodes } from "../../src/document/edit";
import type { Json } from "../../src/document/json";
import { changeValue, disconnect } from "../../src/state/editing/actions";
import { handleMessage } from "../../src/state/outcomes/events";
import { placeOf, recordSubmitted, useRuns } from "../../src/state/outcomes/runs";
import { watchFailures } from "../../src/state/runs/staleFailures";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  edit,
  openWorkflow,
  setCatalog,
  showLevel,
  undoEdit,
} from "../../src/state/session/studio";

const CATALOG = readCatalog({
  Step: {
    input: {
      required: { image: ["IMAGE"], size: ["INT", { default: 1, min: 0, max: 9 }] },
    },
    output: ["IMAGE"],
    output_name: ["IMAGE"],
  },
});

const step = (id: number, from: number | null, to: number[], type = "Step") => ({
  id,
  type,
  inputs: [{ name: "image", type: "IMAGE", link: from }],
  outputs: [{ name: "IMAGE", type: "IMAGE", links: to }],
  widgets_values: type === "Step" ? [1] : [],
});

/** 1 feeds 2, an instance with 5 and 6 inside; 3 has no wires. */
const FILE = {
  nodes: [step(1, null, [1]), step(2, 1, [], "sub"), step(3, null, [])],
  links: [[1, 1, 0, 2, 0, "IMAGE"]],
  version: 0.4,
  definitions: {
    subgraphs: [
      {
        id: "sub",
        version: 1,
        name: "Sub",
        inputs: [{ id: "a", name: "image", type: "IMAGE", linkIds: [1] }],
        outputs: [],
        nodes: [step(5, 1, [2]), step(6, 2, [])],
        links: [
          { id: 1, origin_id: -10, origin_slot: 0, target_id: 5, target_slot: 0, type: "IMAGE" },
          { id: 2, origin_id: 5, origin_slot: 0, target_id: 6, target_slot: 0, type: "IMAGE" },
        ],
      },
    ],
  },
} as unknown as Json;

const PLAN = { nodes: {}, run: 0, cached: 0, seconds: null, memory: null, unknown: 0 };
let stop = () => {};
let prompt = "";

function fail(node: string): void {
  prompt = crypto.randomUUID();
  const { id, workflow } = activeTab();
  useRuns.setState({ prompts: { [prompt]: id } });
  recordSubmitted(prompt, workflow, PLAN);
  const error = {
    prompt_id: prompt,
    node_id: node,
    node_type: "Step",
    exception_message: "It broke.\n",
    exception_type: "Error",
    traceback: [],
    current_inputs: {},
    timestamp: 1,
  };
  handleMessage({ type: "execution_error", data: error as unknown as ExecutionError }, 0);
}

const failed = () => {
  const start = placeOf(activeTab().id, "");
  const { failures, former } = useRuns.getState();
  const nodes = (all: object) =>
    Object.keys(all).flatMap((each) => (each.startsWith(start) ? [each.slice(start.length)] : []));
  return { failures: nodes(failures), former: nodes(former) };
};

beforeEach(() => {
  setCatalog(CATALOG);
  openWorkflow(FILE, { name: "File" });
  stop = watchFailures();
});
afterEach(() => stop());

test("an edit of what feeds the node makes it a former failure, undone it is one again", () => {
  fail("2:6");
  expect(failed()).toEqual({ failures: ["2:6"], former: [] });
  changeValue(activeEditor(), "3", "size", 4);
  edit(activeEditor(), "Move", (draft) => moveNodes(draft, { "1": { x: 9, y: 9 } }));
  expect(failed()).toEqual({ failures: ["2:6"], former: [] });
  changeValue(activeEditor(), "1", "size", 4);
  expect(failed()).toEqual({ failures: [], former: ["2:6"] });
  undoEdit(activeEditor());
  expect(failed()).toEqual({ failures: ["2:6"], former: [] });
  disconnect(activeEditor(), "1");
  expect(failed()).toEqual({ failures: [], former: ["2:6"] });
});

test("inside a subgraph, too, and only what feeds it", () => {
  fail("2:5");
  showLevel(activeEditor(), ["2"]);
  changeValue(activeEditor(), "6", "size", 3);
  expect(failed().former).toEqual([]);
  changeValue(activeEditor(), "5", "size", 3);
  expect(failed()).toEqual({ failures: [], former: ["2:5"] });
});

test("the next run begins without it", () => {
  fail("1");
  changeValue(activeEditor(), "1", "size", 7);
  expect(failed().former).toEqual(["1"]);
  handleMessage({ type: "execution_start", data: { prompt_id: prompt, timestamp: 0 } }, 0);
  expect(failed()).toEqual({ failures: [], former: [] });
});

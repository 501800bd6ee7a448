/** What workflows need: sentences, the notice when one is opened, and files under another name. */

import { afterEach, describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import type { ModelNeed, Needs } from "../../src/api/downloads";
import type { DownloadState } from "../../src/api/types";
import { putFile, recordNeeds, sentenceOf, watchNeeds } from "../../src/state/files/needs";
import { downloadOf, onDownloadsChanged, useDownloads } from "../../src/state/runs/downloads";
import { activeEditor } from "../../src/state/session/editor";
import { activeTab, openWorkflow, setCatalog, undoEdit } from "../../src/state/session/studio";
import { useView } from "../../src/state/session/view";

const NEED: ModelNeed = {
  name: "a.safetensors",
  kind: "checkpoints",
  here: false,
  nodes: [
    ["1", "ckpt_name"],
    ["2", "ckpt_name"],
  ],
  offers: ["Sub/A.safetensors"],
  url: "https://files.example/a.safetensors",
  sha256: null,
  size: null,
  license: null,
  host: "files.example",
  folder: "/models/checkpoints",
  warning: null,
  problem: null,
};
const NOTHING: Needs = { models: [], packs: [], unknown: {}, omitted: 0 };
const PACK = {
  ...{ name: "p", repository: null, version: "1", classes: ["X"], modules: [] },
  ...{ installed: null, differs: null },
};

const loader = (id: number) => ({
  id,
  type: "CheckpointLoaderSimple",
  inputs: [],
  outputs: [],
  widgets_values: ["a.safetensors"],
});

function open(): void {
  setCatalog(
    readCatalog({
      CheckpointLoaderSimple: {
        input: { required: { ckpt_name: [["Sub/A.safetensors"], {}] } },
        output: ["MODEL"],
      },
    }),
  );
  openWorkflow({ nodes: [loader(1), loader(2)], links: [] } as never, { name: "needs" });
}

const values = () => Object.values(activeTab().workflow.nodes).map((each) => each.values.ckpt_name);

afterEach(() => useView.setState({ notice: null }));

describe("what is missing, in a sentence", () => {
  test.each([
    [NOTHING, null],
    [{ ...NOTHING, models: [{ ...NEED, here: true }] }, null],
    [{ ...NOTHING, packs: [{ ...PACK, missing: {} }] }, null],
    [{ ...NOTHING, models: [NEED] }, /uses files/],
    [{ ...NOTHING, unknown: { X: ["1"] } }, /not installed/],
    [{ ...NOTHING, packs: [{ ...PACK, missing: { X: ["1"] } }] }, /not installed/],
    [{ ...NOTHING, models: [NEED], unknown: { X: ["1"] } }, /nodes and files/],
  ])("%#", (needs, sentence) => {
    const said = sentenceOf(needs);
    if (sentence === null) expect(said).toBeNull();
    else expect(said).toMatch(sentence);
  });
});

test("a file here under another name replaces the value in all nodes, and one undo takes it back", () => {
  open();
  putFile(activeTab(), NEED, "Sub/A.safetensors");
  expect(values()).toEqual(["Sub/A.safetensors", "Sub/A.safetensors"]);
  undoEdit(activeEditor());
  expect(values()).toEqual(["a.safetensors", "a.safetensors"]);
});

test("an opened workflow is reported once, after its first check", () => {
  const end = watchNeeds();
  try {
    open();
    expect(useView.getState().notice).toBeNull();
    recordNeeds(activeTab().id, { ...NOTHING, models: [NEED] });
    expect(useView.getState().notice?.text).toMatch(/uses files/);
    useView.setState({ notice: null });
    recordNeeds(activeTab().id, { ...NOTHING, models: [NEED] });
    expect(useView.getState().notice).toBeNull();
  } finally {
    end();
  }
});

test("news of downloads are merged, and removed ones are gone", () => {
  const state = (id: string, more: Partial<DownloadState> = {}) =>
    ({
      id,
      name: "a.safetensors",
      kind: "checkpoints",
      state: "running",
      ...more,
    }) as DownloadState;
  onDownloadsChanged({ changed: [state("1"), state("2", { name: "b" })], gone: [] });
  onDownloadsChanged({ changed: [state("1", { received: 5 })], gone: ["2"] });
  const { all } = useDownloads.getState();
  expect(Object.keys(all)).toEqual(["1"]);
  expect(downloadOf(all, NEED)?.received).toBe(5);
});

/** Problems of a workflow are described in sentences, and fixed by edits. */

import { beforeEach, describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import type { InputProblem, ValidationReport } from "../../src/api/client";
import { workflowOfPrompt } from "../../src/state/embedded/prompt";
import { changedSince } from "../../src/state/runs/failure";
import { problemsOf } from "../../src/state/runs/fixes";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  edit,
  openWorkflow,
  setCatalog,
  useStudio,
} from "../../src/state/session/studio";
import { builtinCatalog } from "../builtinCatalog";

const FILES = ["flux-dev.safetensors", "sd15.safetensors"];

beforeEach(() => {
  useStudio.setState({
    catalog: readCatalog({
      Load: { input: { required: { name: [FILES] } }, output: ["MODEL"], display_name: "Load" },
      Sample: {
        input: {
          required: {
            model: ["MODEL"],
            other: ["MODEL"],
            cfg: ["FLOAT", { default: 7, max: 100 }],
          },
        },
        output: ["LATENT"],
        display_name: "Sample",
      },
    }),
  });
  const prompt = {
    "1": { class_type: "Load", inputs: { name: "sd-15.safetensors" } },
    "2": { class_type: "Sample", inputs: { model: ["1", 0], cfg: 900 } },
  };
  useStudio.setState({ active: openWorkflow(workflowOfPrompt(prompt), { name: "one" }) });
});

function key(type: string): string {
  const found = Object.values(activeTab().graph.nodes).find((each) => each.type === type);
  if (found === undefined) throw new Error(`there is no ${type}`);
  return found.key;
}

function report(type: string, problem: Partial<InputProblem>): ValidationReport {
  const errors = [{ type: "", message: "", details: "", extra_info: {}, ...problem }];
  return {
    error: { type: "prompt_outputs_failed_validation", message: "No", details: "" },
    node_errors: { [key(type)]: { class_type: type, errors, dependent_outputs: [] } },
  };
}

function only(found: ValidationReport) {
  const problems = problemsOf(activeEditor(), activeTab(), found, {});
  expect(problems.length).toBe(1);
  return problems[0];
}

test("a missing file is named with the nearest, which is put in its place", () => {
  const problem = only(
    report("Load", {
      type: "value_not_in_list",
      extra_info: {
        input_name: "name",
        received_value: "sd-15.safetensors",
        nearest: ["sd15.safetensors"],
      },
    }),
  );
  expect(problem?.group).toBe("files");
  expect(problem?.text).toBe(
    "sd-15.safetensors is not among the files for name. The nearest: sd15.safetensors.",
  );
  problem?.fixes[0]?.run();
  expect(activeTab().graph.nodes[key("Load")]?.values.name).toBe("sd15.safetensors");
});

test("a value out of range is brought to its limit, and that can be undone", () => {
  const before = activeTab().workflow;
  const problem = only(
    report("Sample", {
      type: "value_bigger_than_max",
      extra_info: { input_name: "cfg", received_value: 900, input_config: ["FLOAT", { max: 100 }] },
    }),
  );
  expect(problem?.text).toBe("cfg is 900; the maximum is 100.");
  problem?.fixes[0]?.run();
  expect(activeTab().graph.nodes[key("Sample")]?.values.cfg).toBe(100);
  expect(changedSince(before, activeTab().workflow)).toEqual([
    { node: key("Sample"), text: "cfg: 900 → 100" },
  ]);
});

test("a missing wire is drawn from what fits, never from the node itself", () => {
  const problem = only(
    report("Sample", { type: "required_input_missing", extra_info: { input_name: "other" } }),
  );
  expect(problem?.fixes.map((each) => each.title)).toEqual(["Connect Load"]);
  problem?.fixes[0]?.run();
  const input = activeTab().graph.nodes[key("Sample")]?.inputs.find(({ name }) => name === "other");
  expect(activeTab().graph.links[input?.link ?? ""]?.from).toBe(key("Load"));
});

test("what failed comes first, with the words it failed with", () => {
  const { id } = activeTab();
  const found = problemsOf(activeEditor(), activeTab(), undefined, {
    [`${id}/7:2`]: "no memory",
    "else/1": "x",
  });
  expect(found.map(({ node, text, group }) => [node, text, group])).toEqual([
    ["7:2", "no memory", "run"],
  ]);
});

test("nodes that came and went are told", () => {
  const before = activeTab().workflow;
  const gone = key("Load");
  edit(activeEditor(), "Delete", (draft) => {
    delete draft.nodes[gone];
    draft.order = draft.order.filter((each) => each !== gone);
  });
  expect(changedSince(before, activeTab().workflow)).toContainEqual({
    node: gone,
    text: "removed",
  });
});

test("a sampler without a negative prompt gets an empty one, never its positive one", () => {
  const encoder = { required: { clip: ["CLIP"], text: ["STRING", { multiline: true }] } };
  const guided = { required: { positive: ["CONDITIONING"], negative: ["CONDITIONING"] } };
  useStudio.setState({
    catalog: readCatalog({
      LoadClip: { input: { required: {} }, output: ["CLIP"], display_name: "Load CLIP" },
      CLIPTextEncode: { input: encoder, output: ["CONDITIONING"], display_name: "Encode" },
      Guided: { input: guided, output: ["LATENT"], display_name: "Guided" },
    }),
  });
  const prompt = {
    "1": { class_type: "LoadClip", inputs: {} },
    "2": { class_type: "CLIPTextEncode", inputs: { clip: ["1", 0], text: "a boat" } },
    "3": { class_type: "Guided", inputs: { positive: ["2", 0] } },
  };
  useStudio.setState({ active: openWorkflow(workflowOfPrompt(prompt), { name: "guided" }) });
  const missing = { type: "required_input_missing", extra_info: { input_name: "negative" } };
  const problem = only(report("Guided", missing));
  expect(problem?.fixes.map(({ title }) => title)).toEqual(["Add a negative prompt"]);
  problem?.fixes[0]?.run();
  const { graph, log } = activeTab();
  const sampler = graph.nodes[key("Guided")];
  const link = sampler?.inputs.find(({ name }) => name === "negative")?.link;
  const made = graph.nodes[graph.links[link ?? ""]?.from ?? ""];
  expect(made?.type).toBe("CLIPTextEncode");
  expect(made?.values.text ?? "").toBe("");
  expect(graph.links[made?.inputs[0]?.link ?? ""]?.from).toBe(key("LoadClip"));
  expect(log.done.length).toBe(1);
});

describe("fixes never make a graph that runs and is wrong", () => {
  type Prompt = Parameters<typeof workflowOfPrompt>[0];

  function open(prompt: Prompt): void {
    setCatalog(builtinCatalog());
    useStudio.setState({ active: openWorkflow(workflowOfPrompt(prompt), { name: "built in" }) });
  }

  /** The fixes for a missing input of the only node of a class. */
  function fixesFor(type: string, input: string) {
    const missing = { type: "required_input_missing", extra_info: { input_name: input } };
    return only(report(type, missing))?.fixes ?? [];
  }

  const sourceOf = (type: string, input: string) => {
    const { graph } = activeTab();
    const found = graph.nodes[key(type)]?.inputs.find(({ name }) => name === input)?.link;
    const link = graph.links[found ?? ""];
    return [graph.nodes[link?.from ?? ""]?.type, link?.fromSlot];
  };

  const loader = { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "a" } };
  const encoder = { class_type: "CLIPTextEncode", inputs: { clip: ["1", 1], text: "a boat" } };
  const sampler = (inputs: object) => ({ class_type: "KSampler", inputs: { ...inputs, seed: 1 } });

  test("the prompt behind the positive side is not offered for the negative one", () => {
    open({
      "1": loader,
      "2": encoder,
      "3": { class_type: "FluxGuidance", inputs: { conditioning: ["2", 0], guidance: 3 } },
      "4": sampler({ model: ["1", 0], positive: ["3", 0] }),
    } as Prompt);
    expect(fixesFor("KSampler", "negative")).toEqual([]);
  });

  test("nor the negative one for the positive side", () => {
    open({ "1": loader, "2": encoder, "4": sampler({ negative: ["2", 0] }) } as Prompt);
    expect(fixesFor("KSampler", "positive")).toEqual([]);
  });

  test("of a node with an output for each side, the right one is taken", () => {
    open({
      "1": loader,
      "2": encoder,
      "3": { class_type: "ControlNetApplyAdvanced", inputs: { positive: ["2", 0] } },
      "4": sampler({ positive: ["3", 0] }),
    } as Prompt);
    const [fix, ...others] = fixesFor("KSampler", "negative");
    expect(others).toEqual([]);
    fix?.run();
    expect(sourceOf("KSampler", "negative")).toEqual(["ControlNetApplyAdvanced", 1]);
  });

  test("what the node itself feeds would close a cycle, and what is muted would not run", () => {
    open({
      "1": { class_type: "VAEDecode", inputs: {} },
      "2": { class_type: "VAEEncode", inputs: { pixels: ["1", 0] } },
      "3": { class_type: "EmptyLatentImage", inputs: { width: 64, height: 64, batch_size: 1 } },
    } as Prompt);
    expect(fixesFor("VAEDecode", "samples").map(({ title }) => title)).toEqual([
      "Connect Empty Latent Image",
    ]);
    edit(activeEditor(), "Mute", (draft) => {
      const node = draft.nodes[key("EmptyLatentImage")];
      if (node !== undefined) node.mode = 2;
    });
    expect(fixesFor("VAEDecode", "samples")).toEqual([]);
  });

  test("another model is not offered for one that is similar to none", () => {
    open({ "1": loader } as Prompt);
    const problem = only(
      report("CheckpointLoaderSimple", {
        type: "value_not_in_list",
        extra_info: { input_name: "ckpt_name", received_value: "a", nearest: [] },
      }),
    );
    expect(problem?.fixes).toEqual([]);
  });

  test("a node that saves is joined to a picture that is made, or not offered", () => {
    const nothing: ValidationReport = {
      error: { type: "prompt_no_outputs", message: "", details: "" },
      node_errors: {},
    };
    open({ "1": { class_type: "LoadImage", inputs: { image: "a.png" } } } as Prompt);
    expect(only(nothing)?.fixes).toEqual([]);
    open({
      "1": { class_type: "VAEDecode", inputs: {} },
      "2": { class_type: "VAEEncode", inputs: { pixels: ["1", 0] } },
    } as Prompt);
    only(nothing)?.fixes[0]?.run();
    expect(sourceOf("SaveImage", "images")).toEqual(["VAEDecode", 0]);
  });
});

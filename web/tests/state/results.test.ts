/** The facts of a result, and the rows and search of the gallery. */
import { describe, expect, test, vi } from "vitest";
import { type ListedJob, readPlace } from "../../src/api/results";
import { WHOLE, zoomedAt } from "../../src/panels/zoom";
import { mediumOf } from "../../src/state/outcomes/outputs";
import { expectedOf } from "../../src/state/outcomes/queue";
import { factsOf } from "../../src/state/results/facts";
import { dayName, rowOfPlace, rowsOf } from "../../src/state/results/historyRows";
import { inputName, readResult, sentenceOf } from "../../src/state/results/results";
import { client } from "../../src/state/session/server";

const PROMPT = {
  "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "demo.safetensors" } },
  "2": { class_type: "CLIPTextEncode", inputs: { text: "bad and much longer" } },
  "3": { class_type: "CLIPTextEncode", inputs: { text: ["4", 0], clip: ["1", 1] } },
  "4": { class_type: "PrimitiveString", inputs: { value: "a red fox" } },
  "5": { class_type: "ConditioningCombine", inputs: { conditioning_1: ["3", 0] } },
  "6": { class_type: "EmptyLatentImage", inputs: { width: 64, height: 96 } },
  "7": {
    class_type: "KSampler",
    inputs: {
      seed: 2n ** 64n - 1n,
      steps: 20,
      cfg: 4.5,
      positive: ["5", 0],
      negative: ["2", 0],
    },
  },
};

describe("the facts of a result", () => {
  test("are read from its prompt, through what stands between", () => {
    const facts = factsOf(PROMPT);
    expect(facts.positive).toBe("a red fox");
    expect(facts.negative).toBe("bad and much longer");
    expect(facts.seed).toBe("18446744073709551615");
    expect(facts.models).toEqual(["demo.safetensors"]);
    expect(facts.size).toBe("64 × 96");
    expect(facts.settings).toEqual([
      ["steps", "20"],
      ["cfg", "4.5"],
    ]);
    expect(facts.nodes.find(({ id }) => id === "7")?.values).toContainEqual(["steps", "20"]);
  });

  test("of nonsense are none", () => {
    for (const prompt of [null, {}, [], { "1": 5 }, { "1": { inputs: { positive: ["1", 0] } } }]) {
      expect(factsOf(prompt).positive).toBeNull();
    }
  });
});

describe("the rows of the gallery", () => {
  const days: [string, number][] = [
    ["2026-11-20", 5],
    ["2026-11-19", 2],
  ];

  test("hold every result once, each day from its own row on", () => {
    const rows = rowsOf(days, 3);
    expect(rows.map((row) => (row.kind === "day" ? row.day : [row.first, row.count]))).toEqual([
      "2026-11-20",
      [0, 3],
      [3, 2],
      "2026-11-19",
      [5, 2],
    ]);
    expect([0, 4, 5, 6].map((place) => rowOfPlace(rows, place))).toEqual([1, 2, 4, 4]);
  });

  test("are named as one says it", () => {
    const today = new Date(2026, 10, 20, 0, 30);
    expect(dayName("2026-11-20", today)).toBe("Today");
    expect(dayName("2026-11-19", today)).toBe("Yesterday");
    expect(dayName("2025-11-19", today)).toContain("2025");
  });
});

describe("the time a job will take", () => {
  const ran = (
    took: number,
    workflow = "w",
    status: ListedJob["status"] = "completed",
  ): ListedJob => ({
    id: String(took),
    status,
    workflow_id: workflow,
    execution_start_time: 1_000,
    execution_end_time: 1_000 + took,
  });
  const next: ListedJob = { id: "next", status: "pending", workflow_id: "w" };

  test("is the middle one of its workflow's last runs", () => {
    const past = [ran(50), ran(90), ran(70), ran(1, "other"), ran(5, "w", "failed")];
    expect(expectedOf(next, past)).toBe(70);
  });

  test("is not judged by runs that found most of their work done", () => {
    expect(
      expectedOf(
        next,
        [10, 12, 9, 8_000, 11, 9_000, 8_500].map((took) => ran(took)),
      ),
    ).toBe(8_500);
  });

  test("is unknown without a run, or without a workflow", () => {
    expect(expectedOf(next, [ran(1, "other")])).toBeNull();
    expect(expectedOf({ id: "api", status: "pending" }, [ran(3)])).toBeNull();
  });
});

test("a place in a batch is read only where it is one", () => {
  const place = { axes: [{ label: "cfg", values: ["4", "5"] }], at: [1] };
  expect(readPlace(place)).toEqual(place);
  for (const wrong of [
    null,
    3,
    {},
    { axes: [], at: [0] },
    { ...place, at: [2] },
    { axes: "x", at: "x" },
  ]) {
    expect(readPlace(wrong)).toBeNull();
  }
});

test("a result is named as nodes that load files name it", () => {
  expect(inputName({ filename: "a.png", subfolder: "", type: "input" })).toBe("a.png");
  expect(inputName({ filename: "a.png", subfolder: "x", type: "output" })).toBe("x/a.png [output]");
});

test("files are told apart by their endings, failures by their sentences", () => {
  const names = ["a.PNG", "a.webm", "a.flac", "a.latent"];
  expect(names.map((filename) => mediumOf({ filename }))).toEqual([
    "image",
    "video",
    "audio",
    "file",
  ]);
  const failed: ListedJob = {
    id: "a",
    status: "failed",
    execution_error: { exception_message: " no memory ", node_type: "KSampler" },
  };
  expect(sentenceOf(failed)).toBe("KSampler failed: no memory");
  expect(sentenceOf({ id: "a", status: "cancelled" })).toBe("Stopped before it finished.");
});

test("what lies under the pointer stays there as one zooms, and the whole is the end", () => {
  const at = { x: 30, y: 40 };
  const near = zoomedAt(WHOLE, 4, at);
  expect([(at.x - near.x) / near.scale, (at.y - near.y) / near.scale]).toEqual([30, 40]);
  expect(zoomedAt(near, 0.01, at)).toEqual(WHOLE);
});

test("a result's files and texts are read from whatever its nodes showed", async () => {
  vi.spyOn(client, "job").mockResolvedValue({
    id: "a",
    status: "completed",
    outputs: {
      "3": { images: [{ filename: "way.png", subfolder: "", type: "temp" }], animated: [true] },
      "9": { gifs: [{ filename: "film.mp4", subfolder: "x", type: "output" }] },
      "10": { audio: [{ filename: "song.flac" }], text: ["a fox"], number: 4 as never },
    },
  });
  const { files, texts } = await readResult("a");
  expect(files.map(({ file, medium, node }) => [file.filename, medium, file.type, node])).toEqual([
    ["film.mp4", "video", "output", "9"],
    ["song.flac", "audio", "output", "10"],
    ["way.png", "image", "temp", "3"],
  ]);
  expect(texts).toEqual([
    { node: "10", text: "a fox" },
    { node: "10", text: "number: 4" },
  ]);
});

/** What nodes show of a run, from the server's messages. */
import { beforeEach, expect, test } from "vitest";
import { handleMessage, resetRunning } from "../../src/state/outcomes/events";
import { placeOf, setShown, useRuns } from "../../src/state/outcomes/runs";

const file = (filename: string) => ({ filename, subfolder: "", type: "temp" });
const picture = (filename: string) => ({ node: "1", medium: "image", file: file(filename) });
const shown = () => useRuns.getState().shown[placeOf("tab", "1")];

beforeEach(() => useRuns.setState({ shown: {} }));

test("two pictures to be compared are a pair, one alone a picture", () => {
  setShown("tab", "1", { a_images: [file("a"), file("c")], b_images: [file("b")] });
  expect(shown()).toEqual({ pair: [picture("a"), picture("b")], files: [], text: [] });
  setShown("tab", "1", { a_images: [file("a")] });
  expect(shown()).toEqual({ pair: null, files: [picture("a")], text: [] });
});

test("what names no file shows nothing", () => {
  setShown("tab", "1", { a_images: ["a"], b_images: 3, images: null });
  expect(shown()).toBeUndefined();
});

test("a run that is no longer heard of stands still, and goes on when it is heard again", () => {
  const place = placeOf("tab", "1");
  const plan = { nodes: {}, run: 1, cached: 0, seconds: 4, memory: null, unknown: 0 };
  useRuns.setState({
    nodes: {},
    active: {},
    prompts: { p: "tab" },
    submitted: { p: { workflow: {} as never, plan } },
  });
  const progress = (value: number) =>
    handleMessage(
      {
        type: "progress_state",
        data: {
          prompt_id: "p",
          nodes: {
            "1": {
              value,
              max: 20,
              state: "running",
              node_id: "1",
              display_node_id: "1",
              parent_node_id: null,
              real_node_id: "1",
              prompt_id: "p",
            },
          },
        },
      },
      0,
    );
  progress(3);
  expect(useRuns.getState().nodes[place]?.state).toBe("running");
  resetRunning();
  expect(useRuns.getState().nodes[place]?.state).toBe("waiting");
  expect(useRuns.getState().active).toEqual({});
  progress(9);
  expect(useRuns.getState().nodes[place]).toMatchObject({ state: "running", value: 9 });
  expect(useRuns.getState().active).toMatchObject({ p: { prompt: "p", plan } });
});

test("files are sorted by how they can be shown, whatever their key", () => {
  setShown("tab", "1", {
    animated: [true],
    images: [file("a.webp"), file("clip.mp4")],
    gifs: [{ ...file("b.gif"), fullpath: "/home/somebody/b.gif", frame_rate: 8 }],
    audio: [file("c.flac")],
    "3d": [file("d.glb")],
    my_images: [file("e.png")],
  });
  expect(shown()?.files.map(({ file, medium }) => [file.filename, medium])).toEqual([
    ["a.webp", "image"],
    ["clip.mp4", "video"],
    ["b.gif", "image"],
    ["c.flac", "audio"],
    ["d.glb", "model"],
    ["e.png", "image"],
  ]);
});

test("a model that a node names is a file, with its camera, once", () => {
  const camera = { position: { x: 1, y: 2, z: 3 } };
  setShown("tab", "1", { result: ["3d/a.stl [temp]", camera, null] });
  const named = { filename: "a.stl", subfolder: "3d", type: "temp" };
  expect(shown()?.files).toEqual([{ node: "1", file: named, medium: "model", camera }]);
  setShown("tab", "1", { "3d": [file("d.glb")], result: ["d.glb [temp]", camera] });
  expect(shown()?.files).toEqual([{ node: "1", file: file("d.glb"), medium: "model" }]);
  setShown("tab", "1", { result: ["a text", 5] });
  expect(shown()).toMatchObject({ files: [], text: ["result: a text, 5"] });
});

test("texts are shown as they are, all else as JSON after its key", () => {
  setShown("tab", "1", {
    text: ["one", 2, { three: [3] }],
    value: [1.5, 18446744073709551615n],
    state: { on: true },
    said: "plainly",
    nothing: [null],
  });
  expect(shown()?.text).toEqual([
    "one",
    "2",
    '{"three":[3]}',
    "value: 1.5, 18446744073709551615",
    'state: {"on":true}',
    "said: plainly",
  ]);
});

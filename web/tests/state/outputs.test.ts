/** What a result is: a node's values, a job's files and a job's representative decide alike. */
import { expect, test } from "vitest";
import type { ListedJob } from "../../src/api/results";
import { mediumOf, outputOf, readOutputs } from "../../src/state/outcomes/outputs";

const file = (filename: string) => ({ filename, subfolder: "", type: "output" });
const mediaIn = (given: Record<string, unknown>) =>
  readOutputs("1", given)?.files.map(({ medium }) => medium);

test("the name of a file decides, whatever the key that it is under", () => {
  expect(mediaIn({ images: [file("a.mp4"), file("b.png"), file("c.flac")] })).toEqual([
    "video",
    "image",
    "audio",
  ]);
  expect(mediaIn({ gifs: [file("a.webm"), file("b.gif")], result: ["c.glb", null] })).toEqual([
    "video",
    "image",
    "model",
  ]);
});

test("a name that says nothing is a picture where its key says so, else a file", () => {
  expect(mediaIn({ images: [file("a")], latents: [file("b")] })).toEqual(["image", "file"]);
  expect(mediumOf({ filename: "a.tiff" }, "images")).toBe("file");
});

test("a film has no picture to compare", () => {
  const made = readOutputs("1", { a_images: [file("a.mp4")], b_images: [file("b.png")] });
  expect(made?.pair).toBeNull();
  expect(made?.files.map(({ medium }) => medium)).toEqual(["video", "image"]);
});

test("pictures that move are shown whole, as a thumbnail is their first frame", () => {
  const moving = (given: Record<string, unknown>) =>
    readOutputs("1", given)?.files.map(({ moves }) => moves ?? false);
  expect(moving({ images: [file("a.webp"), file("b.png")] })).toEqual([true, false]);
  expect(moving({ images: [file("a.png")], animated: [true] })).toEqual([true]);
  expect(moving({ images: [file("a.mp4")], animated: [true] })).toEqual([false]);
});

test("the file that represents a job is read as those of its nodes", () => {
  const job = (preview_output: ListedJob["preview_output"]): ListedJob => ({
    id: "a",
    status: "completed",
    ...(preview_output === undefined ? {} : { preview_output }),
  });
  const film = { ...file("a.mp4"), nodeId: "9", mediaType: "images" };
  expect(outputOf(job(film))).toEqual({ node: "9", medium: "video", file: file("a.mp4") });
  expect(outputOf(job({ ...file("a"), mediaType: "images" }))?.medium).toBe("image");
  expect(outputOf(job(undefined))).toBeNull();
});

test("a shown model has its camera and the picture behind it", () => {
  const camera = { position: { x: 1, y: 2, z: 3 } };
  const made = readOutputs("1", { result: ["a.glb [temp]", camera, "temp/b.png"] });
  expect(made?.files).toEqual([
    {
      node: "1",
      medium: "model",
      file: { filename: "a.glb", subfolder: "", type: "temp" },
      camera,
      behind: { filename: "b.png", subfolder: "", type: "temp" },
    },
  ]);
  const bare = readOutputs("1", { result: ["a.glb", null, null] });
  expect(bare?.files[0]?.behind).toBeUndefined();
});

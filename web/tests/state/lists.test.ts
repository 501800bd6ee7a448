/** An uploaded file is listed at once, and only the nodes that list files are loaded again. */
import { beforeEach, expect, test, vi } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { addFileToLists } from "../../src/state/catalog/lists";
import { client } from "../../src/state/session/server";
import { setCatalog, useStudio } from "../../src/state/session/studio";

const described = (choices: string[], options: object = { image_upload: true }) => ({
  input: { required: { image: [choices, options] } },
});
const INFO = {
  LoadImage: described(["a.png"]),
  LoadOutput: described(["old.png"], { image_upload: true, image_folder: "output" }),
  LoadSound: { input: { required: { audio: [["a.wav"], { audio_upload: true }] } } },
  Plain: described(["a.png"], {}),
};
const FILE = { filename: "b.png", subfolder: "", type: "input" };
const choices = (type: string) => useStudio.getState().catalog[type]?.inputs[0]?.choices;

beforeEach(() => {
  vi.restoreAllMocks();
  setCatalog(readCatalog(INFO));
});

test("before the server has said anything, and no other schema becomes another", async () => {
  const asked: string[] = [];
  vi.spyOn(client, "describe").mockImplementation(async (type) => {
    asked.push(type);
    return readCatalog(
      type === "LoadImage" ? { LoadImage: described(["a.png", "b.png", "c.png"]) } : {},
    );
  });
  const whole = vi.spyOn(client, "catalog");
  const before = useStudio.getState().catalog;
  addFileToLists(FILE, "image");
  expect(choices("LoadImage")).toEqual(["a.png", "b.png"]);
  await vi.waitFor(() => expect(choices("LoadImage")).toEqual(["a.png", "b.png", "c.png"]));
  expect(asked).toEqual(["LoadImage", "LoadOutput"]);
  expect(whole).not.toHaveBeenCalled();
  const after = useStudio.getState().catalog;
  for (const type of ["LoadOutput", "LoadSound", "Plain"]) expect(after[type]).toBe(before[type]);
});

test("a server that does not answer takes nothing away", async () => {
  const describe = vi.spyOn(client, "describe").mockRejectedValue(new TypeError("Failed to fetch"));
  addFileToLists({ ...FILE, subfolder: "sub" }, "image");
  await vi.waitFor(() => expect(describe).toHaveBeenCalledTimes(2));
  expect(choices("LoadImage")).toEqual(["a.png", "sub/b.png"]);
  expect(choices("LoadOutput")).toEqual(["old.png"]);
});

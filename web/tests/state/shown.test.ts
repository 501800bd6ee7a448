/** What nodes show of a run, as the server tells it. */
import { beforeEach, expect, test } from "vitest";
import { placeOf, setShown, useRuns } from "../../src/state/runs/runs";

const file = (filename: string) => ({ filename, subfolder: "", type: "temp" });
const shown = () => useRuns.getState().shown[placeOf("tab", "1")];

beforeEach(() => useRuns.setState({ shown: {} }));

test("two pictures to be compared are a pair, one alone a picture", () => {
  setShown("tab", "1", { a_images: [file("a"), file("c")], b_images: [file("b")] });
  expect(shown()).toEqual({ images: [], pair: [file("a"), file("b")], text: [] });
  setShown("tab", "1", { a_images: [file("a")] });
  expect(shown()).toEqual({ images: [file("a")], pair: null, text: [] });
});

test("what names no file shows nothing", () => {
  setShown("tab", "1", { a_images: ["a"], b_images: 3, images: null });
  expect(shown()).toBeUndefined();
});

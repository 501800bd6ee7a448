/** Reading and writing of seeds, weights, curves and marks in fields. */
import { describe, expect, test } from "vitest";
import { marksIn, movedBy, sizedBy, spanned, withMarks } from "../../src/widgets/boxes";
import { foldersOf, nearest, rowsOf } from "../../src/widgets/choices";
import { hexOf, inFormOf } from "../../src/widgets/color";
import { added, curveOf, heightAt, inCurveFormOf, moved, removed } from "../../src/widgets/curve";
import { kindOf } from "../../src/widgets/kinds";
import { marksOf, piecesOf, wordsBefore } from "../../src/widgets/marks";
import { reweighted } from "../../src/widgets/weights";

describe("long texts", () => {
  test("a text without spaces is no word to complete, however long", () => {
    const long = "A".repeat(100_000);
    expect(wordsBefore(long, long.length)).toEqual([]);
    expect(wordsBefore(`${long}, fox`, long.length + 5)).toEqual([
      { from: long.length + 2, word: "fox" },
    ]);
    expect(wordsBefore(`${long}) re`, long.length + 4)).toEqual([
      { from: long.length + 2, word: "re" },
    ]);
  });

  test("brackets in brackets have the weight that stands at their own end", () => {
    const deep = 3000;
    const text = `${"(".repeat(deep)}fox:1.3${")".repeat(deep)}`;
    const change = reweighted(text, deep + 1, deep + 1, 0.1);
    expect(change?.text).toBe("(fox:1.4)");
  });
});

describe("weights", () => {
  const after = (text: string, start: number, end: number, by: number) => {
    const change = reweighted(text, start, end, by);
    return change === null
      ? null
      : text.slice(0, change.from) + change.text + text.slice(change.to);
  };
  test.each([
    ["a red cat", 3, 3, 0.1, "a (red:1.1) cat"],
    ["a red cat", 2, 9, 0.1, "a (red cat:1.1)"],
    ["a red cat", 1, 6, -0.1, "a (red:0.9) cat"],
    ["a (red:1.1) cat", 4, 4, 0.1, "a (red:1.2) cat"],
    ["a (red:1.1) cat", 3, 6, 0.1, "a (red:1.2) cat"],
    ["a (red:1.1) cat", 2, 11, -0.1, "a red cat"],
    ["a (red) cat", 4, 4, 0.1, "a (red:1.2) cat"],
    ["(a (red:1.2) cat:1.5)", 5, 5, 0.1, "(a (red:1.3) cat:1.5)"],
    ["(a (red:1.2) cat:1.5)", 14, 14, 0.1, "(a (red:1.2) cat:1.6)"],
    ["(a (red:1.2) cat:1.5)", 1, 2, 0.1, "((a:1.1) (red:1.2) cat:1.5)"],
    ["smile \\(face\\)", 1, 1, 0.05, "(smile:1.05) \\(face\\)"],
    ["a (red:0.1) cat", 4, 4, -0.2, "a (red:0.0) cat"],
    ["<lora:a/ink:0.8>", 9, 9, 0.1, "<lora:a/ink:0.9>"],
    ["<lora:ink:1>, b", 12, 12, 0.05, "<lora:ink:1.05>, b"],
    ["<lora:ink>", 3, 3, -0.1, "<lora:ink:0.9>"],
    ["<lora:ink:0>", 3, 3, -0.1, "<lora:ink:-0.1>"],
    ["<lora:ink:0.8:0.6>", 16, 16, 0.1, "<lora:ink:0.9:0.6>"],
    ["(a <lora:ink:1> b:1.5)", 8, 8, 0.1, "(a <lora:ink:1.1> b:1.5)"],
    ["(a <lora:ink:1> b:1.5)", 3, 3, 0.1, "(a <lora:ink:1> b:1.6)"],
    ["<lora:ink:1> cat", 15, 15, 0.1, "<lora:ink:1> (cat:1.1)"],
    ["a<b, red", 6, 6, 0.1, "a<b, (red:1.1)"],
  ])("%s", (text, start, end, by, expected) => {
    expect(after(text, start, end, by)).toBe(expected);
  });

  test("need something to weigh, and keep it selected", () => {
    expect(reweighted("a  b", 2, 2, 0.1)).toBeNull();
    const change = reweighted("a red cat", 2, 5, 0.1);
    expect(change?.select).toEqual([3, 6]);
    expect(reweighted("<lora:ink:1>", 12, 12, 0.1)?.select).toEqual([14, 14]);
    expect(reweighted("<lora:ink:0.95>", 7, 7, 0.05)?.select).toEqual([7, 7]);
  });
});

describe("marks in a prompt", () => {
  test("pair the bracket at the caret, tell lone ones, see comments", () => {
    const text = "(a) \\( // b (\n[c";
    expect(marksOf(text, 0)).toEqual([
      { from: 0, to: 1, kind: "pair" },
      { from: 2, to: 3, kind: "pair" },
      { from: 7, to: 13, kind: "comment" },
      { from: 14, to: 15, kind: "lone" },
    ]);
    const pieces = piecesOf(text, marksOf(text, 0));
    expect(pieces.map((each) => each.text).join("")).toBe(text);
  });

  test("what is typed is found before the caret: after the last comma, and the last word", () => {
    expect(wordsBefore("a cat, blue ey", 14)).toEqual([
      { from: 7, word: "blue ey" },
      { from: 12, word: "ey" },
    ]);
    expect(wordsBefore("(blue", 5)).toEqual([{ from: 1, word: "blue" }]);
    expect(wordsBefore("embedding:", 10)).toEqual([{ from: 0, word: "embedding:" }]);
    expect(wordsBefore("x, embedding:ba", 15)).toEqual([{ from: 3, word: "embedding:ba" }]);
    expect(wordsBefore("/* note */ lon", 14)).toEqual([{ from: 11, word: "lon" }]);
    expect(wordsBefore("a", 1)).toEqual([]);
  });

  test("the tag of a LoRA is one word, folders and all, until its weight begins", () => {
    expect(wordsBefore("a, <l", 5)).toEqual([{ from: 3, word: "<l" }]);
    expect(wordsBefore("<lora:", 6)).toEqual([{ from: 0, word: "<lora:" }]);
    expect(wordsBefore("a <LoRA:style/ink wa", 20)).toEqual([
      { from: 2, word: "<LoRA:style/ink wa" },
    ]);
    expect(wordsBefore("<lora:ink:0.85", 14)).toEqual([]);
    expect(wordsBefore("<lora:ink:0.8>", 8)).toEqual([]);
    expect(wordsBefore("<lora:ink\n<lora:b:1>", 9)).toEqual([{ from: 0, word: "<lora:ink" }]);
    expect(wordsBefore("<lora:ink:1> blue", 17)).toEqual([{ from: 13, word: "blue" }]);
  });
});

describe("choices", () => {
  const looking = { typed: "", recent: [], starred: [], opened: new Set<string>() };
  const labels = (choices: readonly string[], more: Partial<typeof looking> = {}) =>
    rowsOf(choices, { ...looking, ...more }).map((row) => `${row.kind} ${row.label}`);

  test("lie in folders that open", () => {
    const choices = ["a/one.pt", "a/two.pt", "b/c/three.pt", "four.pt"];
    expect(labels(choices)).toEqual(["folder a", "folder b", "choice four.pt"]);
    expect(labels(choices, { opened: new Set(["b/", "b/c/"]) })).toEqual([
      "folder a",
      "folder b",
      "folder c",
      "choice three.pt",
      "choice four.pt",
    ]);
    expect(foldersOf("b/c/three.pt")).toEqual(["b/", "b/c/"]);
    expect(foldersOf("on / off")).toEqual([]);
  });

  test("are found by words, starts of names first", () => {
    const choices = ["models/dream.pt", "old/redream.pt", "other.pt"];
    expect(labels(choices, { typed: "dream pt" })).toEqual([
      "choice models/dream.pt",
      "choice old/redream.pt",
    ]);
  });

  test("that are starred come first, those used lately in long lists only", () => {
    const few = ["a", "b"];
    expect(labels(few, { starred: ["b"], recent: ["a"] } as never)).toEqual([
      "heading Starred",
      "choice b",
      "heading All",
      "choice a",
      "choice b",
    ]);
    const many = Array.from({ length: 20 }, (_, index) => `m${index}`);
    expect(labels(many, { recent: ["m7", "gone"] } as never).slice(0, 3)).toEqual([
      "heading Recently used",
      "choice m7",
      "heading All",
    ]);
  });

  test("like a missing one are those of its name, wherever they lie", () => {
    const choices = ["other.safetensors", "sd15/dreamshaper_8.safetensors", "zeta.ckpt"];
    expect(nearest("dreamshaper_8.ckpt", choices)).toEqual(["sd15/dreamshaper_8.safetensors"]);
    expect(nearest("nothing-of-the-kind", choices)).toEqual([]);
  });
});

describe("colours", () => {
  test.each([
    ["#ABC", "#aabbcc"],
    ["112233", "#112233"],
    ["#11223344", "#112233"],
    [255, "#0000ff"],
    ["red", null],
    [-1, null],
  ])("%s is %s", (value, expected) => {
    expect(hexOf(value)).toBe(expected);
  });

  test("keep the form they had", () => {
    expect(inFormOf(0, "#0000ff")).toBe(255);
    expect(inFormOf("#ffffff", "#0000ff")).toBe("#0000ff");
  });
});

describe("curves", () => {
  const saved = {
    points: [
      [0, 0],
      [0.4, 0.7],
      [1, 1],
    ],
    interpolation: "monotone_cubic",
    extra: 1,
  };

  test("come back with what nobody knows of them", () => {
    expect(inCurveFormOf(saved, curveOf(saved))).toEqual(saved);
    expect(curveOf("nonsense").points).toHaveLength(2);
  });

  test("pass through their points and never overshoot", () => {
    const curve = curveOf(saved);
    for (const [x, y] of curve.points) expect(heightAt(curve, x)).toBeCloseTo(y, 9);
    const heights = Array.from({ length: 101 }, (_, index) => heightAt(curve, index / 100));
    expect(
      heights.every((each, index) => index === 0 || each >= (heights[index - 1] ?? 0) - 1e-9),
    ).toBe(true);
    const flat = curveOf({
      points: [
        [0, 0],
        [0.5, 0.5],
        [0.6, 0.5],
        [1, 1],
      ],
      interpolation: "monotone_cubic",
    });
    expect(heightAt(flat, 0.55)).toBeCloseTo(0.5, 9);
  });

  test("keep their points in order and their ends", () => {
    const curve = curveOf(saved);
    expect(moved(curve, 1, [2, 2]).points[1]?.[0]).toBeLessThan(1);
    expect(moved(curve, 0, [0.5, 0.5]).points[0]).toEqual([0, 0.5]);
    expect(removed(curve, 0).points).toHaveLength(3);
    expect(removed(curve, 1).points).toHaveLength(2);
    expect(added(curve, [0.2, 0.3])?.index).toBe(1);
    expect(added(curve, [0.4, 0.3])).toBeNull();
  });
});

describe("boxes and points", () => {
  const extent = { width: 100, height: 100 };

  test("stay inside the picture", () => {
    const box = { x: 80, y: 10, width: 30, height: 20 };
    expect(movedBy(box, { x: 50, y: -50 }, { width: 120, height: 100 })).toMatchObject({
      x: 90,
      y: 0,
    });
    expect(sizedBy({ ...box, x: 60 }, { x: 50, y: -50 }, extent)).toMatchObject({
      width: 40,
      height: 1,
    });
    expect(spanned({ x: 9, y: 8 }, { x: 4, y: 10 })).toEqual({ x: 4, y: 8, width: 5, height: 2 });
  });

  test("keep the form they were saved in, and what is said about each", () => {
    const saved = [{ x: 1, y: 2, width: 3, height: 4, metadata: { desc: "duck" } }];
    const marks = marksIn(saved, "boxes");
    expect(withMarks(saved, "boxes", marks)).toEqual(saved);
    expect(withMarks(saved, "boxes", [...marks, { x: 5, y: 6, width: 7, height: 8 }])).toEqual([
      ...saved,
      { x: 5, y: 6, width: 7, height: 8 },
    ]);
    expect(withMarks("[[1,2]]", "points", [{ x: 3, y: 4, width: 0, height: 0 }])).toBe("[[3,4]]");
    expect(
      withMarks({ x: 0, y: 0, width: 9, height: 9 }, "box", [{ x: 1, y: 1, width: 2, height: 2 }]),
    ).toEqual({
      x: 1,
      y: 1,
      width: 2,
      height: 2,
    });
  });
});

describe("the kind of field", () => {
  const input = (type: string, options: Record<string, unknown> = {}, name = "x") => ({
    name,
    type,
    section: "required" as const,
    options,
    choices: null,
    folder: null,
  });
  test.each([
    [input("INT"), 1, "number"],
    [input("FLOAT,INT", { widgetType: "FLOAT" }), 1, "number"],
    [input("INT", { display: "color" }), 1, "color"],
    [input("COMBO"), "a", "combo"],
    [input("COMBO", { multiselect: true }), [], "many"],
    [input("COMBO", { multi_select: { chip: true } }), [], "many"],
    [input("COMBO", { image_upload: true }), "", "media"],
    [input("STRING"), "", "text"],
    [input("STRING", { multiline: true, dynamicPrompts: true }), "", "prompt"],
    [input("STRING", { multiline: true }, "json"), "", "lines"],
    [input("STRING", { display: "points" }), "[]", "marks"],
    [input("CURVE"), {}, "curve"],
    [input("BOUNDING_BOX"), {}, "marks"],
    [input("PALETTE", { socketless: true }), ["#fff"], "lines"],
    [input("PALETTE", { socketless: true }), {}, "rare"],
  ])("%j", (given, value, expected) => {
    expect(kindOf(given, value)).toBe(expected);
  });
});

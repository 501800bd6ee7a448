/** Text is readable on every colour that a node or a note may have. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { contrast, inkOn, mixed, parseHex, type Rgb, writeHex } from "../../src/document/colour";
import { MARKDOWN_NOTE } from "../../src/document/notes";
import { readNode } from "../../src/document/read";
import {
  customPaint,
  frameColour,
  NOTE_COLOUR,
  PALETTE,
  paintOf,
} from "../../src/state/nodes/colours";

const READABLE = 4.5;

const css = readFileSync(resolve(import.meta.dirname, "../../src/theme.css"), "utf8");

/** The custom properties of a theme: its own over those of the dark one. */
function theme(name: string): (token: string) => Rgb {
  const blocks = [":root {", `:root[data-theme="${name}"] {`].map((start) => {
    const from = css.indexOf(start);
    return from < 0 ? "" : css.slice(from, css.indexOf("}", from));
  });
  const tokens = new Map(
    [...blocks.join("\n").matchAll(/(--[\w-]+):\s*(#[0-9a-f]+);/gi)].map(([, token, hex]) => [
      token,
      hex,
    ]),
  );
  return (token) => {
    const rgb = parseHex(tokens.get(token) ?? "");
    if (rgb === null) throw new Error(`${name} has no ${token}`);
    return rgb;
  };
}

const node = (fields: object) =>
  readNode({ id: 1, type: "KSampler", pos: [0, 0], size: [1, 1], ...fields }, () => undefined);

describe.each(["dark", "light", "contrast"])("in the %s theme", (name) => {
  const token = theme(name);

  test.each(PALETTE.map((each) => each.id))("text can be read on %s", (id) => {
    const paint = token(`--paint-${id}`);
    expect(contrast(token("--text"), paint)).toBeGreaterThan(READABLE);
    const body = mixed(paint, token("--node"), 0.1);
    for (const text of ["--text", "--dim"]) {
      expect(contrast(token(text), body)).toBeGreaterThan(READABLE);
    }
  });

  test("text can be read on a note", () => {
    const body = mixed(token(`--paint-${NOTE_COLOUR}`), token("--node"), 0.45);
    expect(contrast(token("--text"), body)).toBeGreaterThan(READABLE);
  });

  test.each(["#000000", "#ffffff", "#ff0000", "#00ff00", "#777777"])(
    "text can be read on a body tinted by %s",
    (hex) => {
      const body = mixed(parseHex(hex) ?? [0, 0, 0], token("--node"), 0.1);
      for (const text of ["--text", "--dim"]) {
        expect(contrast(token(text), body)).toBeGreaterThan(READABLE);
      }
    },
  );
});

test("on every colour, black or white can be read", () => {
  for (let red = 0; red < 256; red += 15) {
    for (let green = 0; green < 256; green += 15) {
      for (let blue = 0; blue < 256; blue += 15) {
        const colour: Rgb = [red, green, blue];
        const ink: Rgb = inkOn(colour) === "black" ? [0, 0, 0] : [255, 255, 255];
        expect(contrast(ink, colour)).toBeGreaterThan(READABLE);
      }
    }
  }
});

test("a colour that others write is drawn in the theme's tone, any other as it is", () => {
  expect(paintOf(node({}))).toBeUndefined();
  expect(paintOf(node({ color: "#322", bgcolor: "#533" }))).toEqual({
    "--paint": "var(--paint-red)",
    "--on-paint": "var(--text)",
  });
  expect(paintOf(node({ color: "#fe0" }))).toEqual({
    "--paint": "#ffee00",
    "--on-paint": "var(--ink-black)",
  });
  expect(paintOf(node({ type: MARKDOWN_NOTE }), NOTE_COLOUR)?.["--paint"]).toContain("yellow");
});

test("what is no colour is not put into the page", () => {
  for (const color of ["red", "url(https://example.org)", "#12", "#ggg", "", "#1234567"]) {
    expect(paintOf(node({ color }))).toBeUndefined();
    expect(frameColour(color)).toBeUndefined();
  }
  expect(frameColour("#A88")).toBe("#aa8888");
});

test("hexadecimal colours are read and written", () => {
  expect(parseHex("#abc")).toEqual([170, 187, 204]);
  expect(parseHex("#A0b1C2ff")).toEqual([160, 177, 194]);
  expect(writeHex([1, 128, 255])).toBe("#0180ff");
  expect(customPaint("#ffffff")).toEqual({ color: "#ffffff", bgcolor: "#b3b3b3" });
});

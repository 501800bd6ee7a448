/** The tints of titles by kind of node: who gets which, and that no two look alike. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { NodeSchema } from "../../src/api/types";
import { KINDS, kindOf, tintOf } from "../../src/state/nodes/categories";

const schema = (category: string, is_output = false) => ({ category, is_output }) as NodeSchema;

test("a node has the kind of its category, wherever in the path it is named", () => {
  expect(kindOf(schema("loaders"))).toBe("loaders");
  expect(kindOf(schema("advanced/loaders/qwen"))).toBe("loaders");
  expect(kindOf(schema("My pack/Loaders"))).toBe("loaders");
  expect(kindOf(schema("conditioning/controlnet"))).toBe("conditioning");
  expect(kindOf(schema("latent/transform"))).toBe("sampling");
  expect(kindOf(schema("image/upscaling"))).toBe("image");
  expect(kindOf(schema("image", true))).toBe("output");
  expect(kindOf(schema("utils/primitive"))).toBeNull();
  expect(kindOf(schema(""))).toBeNull();
  expect(tintOf(schema("loaders"))).toEqual({ "--kind": "var(--kind-loaders)" });
  expect(tintOf(undefined)).toBeUndefined();
});

type Triple = readonly [number, number, number];

/**
 * What dichromats see, as matrices of linear sRGB: Machado, Oliveira and Fernandes, "A
 * Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
 */
const SIGHT: Readonly<Record<string, readonly Triple[]>> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
/** In OKLab. The palette of the sockets has 0.028 at its closest pair, and needs shapes for it. */
const APART = 0.12;

describe.each([
  ["dark", ":root {"],
  ["light", ':root[data-theme="light"] {'],
  ["contrast", ':root[data-theme="contrast"] {'],
])("in the %s theme", (_, opening) => {
  const sheet = readFileSync(resolve(import.meta.dirname, "../../src/theme.css"), "utf8");
  const blockOf = (start: string) => sheet.slice(sheet.indexOf(start)).split("}", 1)[0] ?? "";
  const token = (name: string) => {
    // A theme has the tokens of the dark one unless it sets them.
    const all = blockOf(":root {") + blockOf(opening);
    const found = [...all.matchAll(new RegExp(`--${name}: #([0-9a-f]{6});`, "g"))].at(-1)?.[1];
    if (found === undefined) throw new Error(`--${name} is not a colour of this theme.`);
    return linear(found);
  };
  const colours = KINDS.map((id) => ({ id, colour: token(`kind-${id}`) }));

  test.each(Object.entries(SIGHT))("no two kinds look alike (%s)", (__, matrix) => {
    const alike = colours.flatMap((one, index) =>
      colours.slice(index + 1).flatMap((other) => {
        const [a, b] = [lab(seen(one.colour, matrix)), lab(seen(other.colour, matrix))];
        const apart = Math.hypot(...a.map((value, axis) => value - (b[axis] ?? 0)));
        return apart < APART ? [`${one.id} and ${other.id}: ${apart.toFixed(3)}`] : [];
      }),
    );
    expect(alike).toEqual([]);
  });

  test("each stands out from the title bar", () => {
    const bar = luminance(token("header"));
    const ratios = colours.map(({ id, colour }) => {
      const [low, high] = [bar, luminance(colour)].sort((a, b) => a - b) as [number, number];
      return { id, ratio: (high + 0.05) / (low + 0.05) };
    });
    expect(ratios.filter(({ ratio }) => ratio < 3)).toEqual([]);
  });
});

function linear(hex: string): Triple {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(0), channel(2), channel(4)];
}

function seen(colour: Triple, matrix: readonly Triple[]): Triple {
  const [r, g, b] = matrix.map((row) =>
    row.reduce((sum, each, at) => sum + each * (colour[at] ?? 0), 0),
  );
  return [r ?? 0, g ?? 0, b ?? 0];
}

function luminance([r, g, b]: Triple): number {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** OKLab of linear sRGB (Ottosson, "A perceptual color space for image processing", 2020). */
function lab([r, g, b]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

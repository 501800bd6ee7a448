/** Views of models as values, and where the names in their files lead. */
import { describe, expect, test } from "vitest";
import { addressBeside } from "../../src/model/beside";
import { BACKGROUND, viewIn } from "../../src/model/view";

describe("a view", () => {
  test("of nothing, or of what the incumbent saves, is the first one", () => {
    for (const value of ["", null, undefined, 5, [], {}]) {
      expect(viewIn(value)).toEqual({
        camera_info: null,
        background: BACKGROUND,
        shading: "original",
        pose: null,
      });
    }
  });

  test("keeps what it can read, and stores whole numbers of any size as numbers", () => {
    const position = { x: 1, y: 2n, z: -3.5 };
    const found = viewIn({
      camera_info: { position, cameraType: "orthographic", zoom: 0, fov: 1000 },
      background: "#123abc",
      shading: "normal",
      pose: { animation: 1n, time: 0.5 },
    });
    expect(found).toEqual({
      camera_info: {
        position: { x: 1, y: 2, z: -3.5 },
        target: { x: 0, y: 0, z: 0 },
        zoom: 1,
        cameraType: "orthographic",
        fov: 150,
      },
      background: "#123abc",
      shading: "normal",
      pose: { animation: 1, time: 0.5 },
    });
  });

  test("takes no animation that no file can have", () => {
    for (const pose of [{ animation: -1, time: 0 }, { animation: 0.5, time: 0 }, { time: 1 }, 3]) {
      expect(viewIn({ pose }).pose).toBeNull();
    }
  });

  test("takes no camera without a place, and no other colours", () => {
    const bad = { camera_info: { position: { x: "1", y: 2, z: 3 } }, background: "url(x)" };
    expect(viewIn(bad)).toMatchObject({ camera_info: null, background: BACKGROUND });
  });
});

describe("a name in a file", () => {
  const url = "/api/view?filename=a.gltf&subfolder=3d&type=input";
  test.each([
    ["a.bin", "/api/view?filename=a.bin&subfolder=3d&type=input"],
    ["./textures/b%20c.png", "/api/view?filename=b+c.png&subfolder=3d%2Ftextures&type=input"],
    ["blob:x", "blob:x"],
    ["data:,x", "data:,x"],
  ])("%s leads to %s", (asked, expected) => {
    expect(addressBeside(url, asked)).toBe(expected);
  });

  test.each([
    "../a.bin",
    "textures/../../a.bin",
    "..%2Fa.bin",
    "/api/settings",
    "//elsewhere.example/a.bin",
    "http://elsewhere.example/a.bin",
    "\\\\elsewhere\\a",
    "%E0%A4%A",
  ])("%s leads nowhere", (asked) => {
    expect(addressBeside(url, asked)).toBe("data:,");
  });
});

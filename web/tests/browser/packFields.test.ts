/** Fields that plugins ask for: choices from a route, several choices, files, unknown types. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { addToCatalog } from "./everyKind";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const NODE = {
  input: {
    required: {
      model: [
        "COMBO",
        {
          remote: {
            route: "/some_pack/models",
            refresh_button: true,
            control_after_refresh: "last",
            max_retries: 2,
          },
        },
      ],
      colours: [
        "COMBO",
        { options: ["red", "green", "blue"], multi_select: { chip: true, placeholder: "any" } },
      ],
      file: ["COMBO", { options: ["a.glb"], file_upload: true }],
      points: ["POINTLIST", { socketless: true, default: { at: [1, 2] } }],
      tint: ["COLORCODE", { socketless: true, default: "#336699" }],
    },
  },
  output: ["IMAGE"],
  output_node: true,
  display_name: "Of a pack",
  name: "OfAPack",
};
const WORKFLOW = {
  nodes: [
    {
      id: 1,
      type: "OfAPack",
      pos: [0, 0],
      size: [320, 240],
      widgets_values: [
        "one",
        ["red", "blue"],
        "a.glb",
        null,
        { at: [18446744073709551615n] },
        "#336699",
      ],
    },
  ],
  links: [],
  version: 0.4,
};

let studio: Studio;
let page: Page;
let answers: (string[] | number)[];
const saved = () =>
  JSON.stringify(WORKFLOW, (_key, value: unknown) =>
    typeof value === "bigint" ? "18446744073709551615n" : value,
  ).replace(/"(\d+)n"/g, "$1");

beforeAll(async () => {
  studio = await startStudio();
  answers = [500, ["one", "two"]];
  page = await openPage(studio, async (opened) => {
    await opened.emulateMedia({ reducedMotion: "reduce" });
    await addToCatalog(opened, { OfAPack: NODE });
    await opened.route("**/some_pack/models*", (route) => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return typeof answer === "number"
        ? route.fulfill({ status: answer, json: { error: "not now" } })
        : route.fulfill({ json: answer });
    });
  });
  const content = Buffer.from(saved());
  await dropFile(page, { name: "pack.json", type: "application/json", content });
  await page.getByRole("tab", { name: "pack" }).waitFor();
  await page.locator(".card-title", { hasText: "Of a pack" }).click();
});
afterAll(() => studio?.close());

test("choices of a route are tried again, read anew by a button, and the last one is taken", async () => {
  const panel = page.locator(".inspector");
  const combo = panel.getByRole("button", { name: /^model/ });
  await expect.poll(() => combo.textContent()).toContain("one");
  answers = [["one", "two", "three"]];
  await panel.getByRole("button", { name: "Read the choices of model again" }).click();
  await expect.poll(() => combo.textContent()).toContain("three");
  await combo.click();
  await page.getByRole("option", { name: "two" }).click();
  await expect.poll(() => combo.textContent()).toContain("two");
});

test("several choices are chips; a file of any kind can be uploaded", async () => {
  const panel = page.locator(".inspector");
  expect(await panel.locator(".chip").allTextContents()).toEqual(["red", "blue"]);
  await panel.locator("input[type=file]").setInputFiles({
    name: "statue.glb",
    mimeType: "model/gltf-binary",
    buffer: Buffer.from("glTF"),
  });
  const field = panel.getByRole("button", { name: /^file/ });
  await expect.poll(() => field.textContent()).toContain("statue.glb");
});

test("a value of an unknown type is JSON, and loses nothing", async () => {
  const panel = page.locator(".inspector");
  const json = panel.getByRole("textbox", { name: "points, as JSON" });
  expect(await json.inputValue()).toBe('{"at":[18446744073709551615]}');
  await json.fill('{"at": [3,');
  await expect.poll(() => json.getAttribute("aria-invalid")).toBe("true");
  await json.press("Escape");
  expect(await json.inputValue()).toBe('{"at":[18446744073709551615]}');
  await json.fill('{"at": [3, 4]}');
  await json.press("Enter");
  await expect.poll(() => json.inputValue()).toBe('{"at":[3,4]}');
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await expect.poll(() => json.inputValue()).toBe('{"at":[18446744073709551615]}');
  expect(await panel.locator("input[type=color]").inputValue()).toBe("#336699");
  expect(await violations(page, "fields of packs")).toEqual([]);
});

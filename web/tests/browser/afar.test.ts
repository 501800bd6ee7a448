/**
 * When zoomed out, painted nodes are dragged like those close up; lists of any length; the queue by
 * commands.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { linksOf } from "./links";
import { drag, goFar, viewOf } from "./pointer";
import { savedFrom } from "./saved";
import { dropFile, runCommand } from "./studio";

let page: Page;

const NAMES = Array.from({ length: 1_000 }, (_, index) => `model ${index}.safetensors`);

eachPage(
  (opened) => {
    page = opened;
  },
  async (opened) => {
    await opened.route("**/object_info", async (route) => {
      const answer = await route.fetch();
      const all = await answer.json();
      all.CheckpointLoaderSimple.input.required.ckpt_name[0].push(...NAMES);
      await route.fulfill({ response: answer, json: all });
    });
  },
);

const node = (id: number, type: string, pos: number[], more: object) => ({
  id,
  type,
  pos,
  size: [240, 140],
  inputs: [],
  outputs: [],
  ...more,
});

const IMAGE = { name: "image", type: "IMAGE" };
const IN_A_ROW = Buffer.from(
  JSON.stringify({
    version: 0.4,
    last_node_id: 9,
    last_link_id: 9,
    nodes: [
      node(1, "LoadImage", [0, 0], {
        size: [240, 300],
        outputs: [
          { name: "IMAGE", type: "IMAGE", links: [1] },
          { name: "MASK", type: "MASK", links: [] },
        ],
        widgets_values: ["example.png"],
      }),
      node(2, "PreviewImage", [1400, 0], {
        inputs: [{ name: "images", type: "IMAGE", link: 1 }],
      }),
      node(3, "ImageInvert", [700, 900], {
        inputs: [{ ...IMAGE, link: null }],
        outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }],
      }),
    ],
    links: [[1, 1, 0, 2, 0, "IMAGE"]],
    groups: [{ id: 1, title: "Finish", bounding: [-400, 800, 800, 600], font_size: 24 }],
  }),
);

test("from afar, nodes are dragged into frames and into wires", async () => {
  await dropFile(page, { name: "afar.json", type: "application/json", content: IN_A_ROW });
  await page.getByRole("tab", { name: "afar" }).waitFor();
  await goFar(page);
  const far = await viewOf(page);
  const at = (x: number, y: number) => far.onScreen({ x, y });
  const placeOf3 = async () => {
    const { nodes } = await savedFrom<{ nodes: { id: number; pos: number[] }[] }>(page);
    return nodes.find(({ id }) => id === 3)?.pos ?? [];
  };
  // Into the frame: it is highlighted while it would receive the node, and then moves with it.
  await drag(page, at(820, 960), at(0, 1060));
  await page.locator(".overview[data-receiving]").waitFor();
  await page.mouse.up();
  expect((await placeOf3())[0]).toBeLessThan(200);
  expect(await page.locator(".overview[data-receiving]").count()).toBe(0);
  await page.keyboard.press("Control+z");
  // Into the wire.
  await drag(page, at(820, 960), at(820, 40));
  await page.locator(".overview[data-entered]").waitFor();
  await page.mouse.up();
  expect(await linksOf(page)).toEqual([
    "ImageInvert.IMAGE > PreviewImage.images",
    "LoadImage.IMAGE > ImageInvert.image",
  ]);
  await page.keyboard.press("Control+z");
  expect(await linksOf(page)).toEqual(["LoadImage.IMAGE > PreviewImage.images"]);
  expect(await placeOf3()).toEqual([700, 900]);
  // With Alt a copy is made, with the same source; one undo removes it.
  await page.keyboard.down("Alt");
  await drag(page, at(1520, 40), at(1520, 640));
  await page.mouse.up();
  await page.keyboard.up("Alt");
  expect(await linksOf(page)).toEqual([
    "LoadImage.IMAGE > PreviewImage.images",
    "LoadImage.IMAGE > PreviewImage.images",
  ]);
  await page.keyboard.press("Control+z");
  expect(await linksOf(page)).toEqual(["LoadImage.IMAGE > PreviewImage.images"]);
});

test("a list of a thousand files is walked to its end", async () => {
  await page
    .getByRole("button", { name: /^ckpt_name/ })
    .first()
    .click();
  const search = page.getByRole("combobox", { name: "Search ckpt_name" });
  await search.waitFor();
  const list = page.getByRole("listbox", { name: "ckpt_name" });
  const last = list.getByRole("option", { name: "model 999.safetensors" });
  expect(await last.count()).toBe(0);
  await expect
    .poll(async () => {
      await list.evaluate((each) => each.scrollTo(0, each.scrollHeight));
      return last.count();
    })
    .toBe(1);
  expect(await list.getByRole("option").count()).toBeLessThan(300);
  await last.click();
  await page
    .getByRole("button", { name: /^ckpt_name/ })
    .first()
    .getByText("model 999")
    .waitFor();
});

test("pending runs are moved by commands", async () => {
  await runCommand(page, "Pause or resume the queue");
  const prompt = page.getByRole("group", { name: "Prompt", exact: true }).getByRole("textbox");
  const excerpts = async () => {
    const texts = await page.locator(".queue li:not(.now) .excerpt").allTextContents();
    return texts.map((text) => text.replace(/^Seed \d+ · /, ""));
  };
  await page.keyboard.press("Escape");
  await page.locator(".canvas").focus();
  await page.keyboard.press("q");
  for (const [index, words] of ["one", "two", "three"].entries()) {
    await prompt.fill(words);
    await page.keyboard.press("Control+Enter");
    await expect.poll(async () => (await excerpts()).length).toBe(index + 1);
  }
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+Shift+Home");
  await expect.poll(excerpts).toEqual(["three", "one", "two"]);
  await page.keyboard.press("Control+Shift+ArrowDown");
  await expect.poll(excerpts).toEqual(["one", "three", "two"]);
  await runCommand(page, "Move the chosen pending run up");
  await expect.poll(excerpts).toEqual(["three", "one", "two"]);
  await runCommand(page, "Cancel the chosen pending run");
  await expect.poll(excerpts).toEqual(["one", "two"]);
});

/** The share of the pixels in the middle of a painted node that are neither grey nor dark. */
async function colouredAt(at: { x: number; y: number }): Promise<number> {
  return page.locator("canvas.overview").evaluate((each, place) => {
    const canvas = each as HTMLCanvasElement;
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    const [left, top] = [(place.x - box.left) * scale, (place.y - box.top) * scale];
    const data =
      canvas.getContext("2d")?.getImageData(left - 8, top - 8, 16, 16).data ??
      new Uint8ClampedArray();
    let count = 0;
    for (let index = 0; index < data.length; index += 4) {
      const [red = 0, green = 0, blue = 0] = data.slice(index, index + 3);
      if (Math.max(red, green, blue) - Math.min(red, green, blue) > 40) count += 1;
    }
    return count / (data.length / 4);
  }, at);
}

test("from afar a node shows its picture, down to a quarter of its size", async () => {
  await page.route("**/api/view?*", (route) =>
    route.fulfill({
      contentType: "image/svg+xml",
      body: '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="#c22020"/></svg>',
    }),
  );
  await dropFile(page, { name: "afar.json", type: "application/json", content: IN_A_ROW });
  await page.getByRole("tab", { name: "afar" }).waitFor();
  // Small steps: it is to be just far enough.
  await goFar(page, 24);
  const { onScreen, scale } = await viewOf(page);
  expect(scale).toBeGreaterThanOrEqual(0.25);
  await expect.poll(() => colouredAt(onScreen({ x: 120, y: 200 }))).toBe(1);
  // The node without a picture has none.
  expect(await colouredAt(onScreen({ x: 1520, y: 100 }))).toBe(0);
});

/** Nodes whose class is not on the server: seen from afar, on the map and in the outline. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { goFar, type Place, viewOf } from "./pointer";
import { dropFile } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const node = (id: number, type: string, pos: number[], more: object = {}) => ({
  id,
  type,
  pos,
  size: [300, 300],
  inputs: [],
  outputs: [],
  ...more,
});

const WORKFLOW = {
  version: 0.4,
  last_node_id: 9,
  last_link_id: 9,
  nodes: [
    node(1, "SaveImage", [0, 0]),
    node(2, "FromAPack", [700, 0], { properties: { cnr_id: "some-pack" } }),
    node(3, "TextEncodeFibo2", [1400, 0]),
    node(4, "inside", [0, 700]),
    node(5, "Note", [700, 700], { widgets_values: ["A note is none of them."] }),
  ],
  links: [],
  groups: [],
  definitions: {
    subgraphs: [
      {
        id: "inside",
        version: 1,
        name: "Inside",
        inputs: [],
        outputs: [],
        nodes: [node(9, "Deep", [0, 0])],
        links: [],
      },
    ],
  },
};

async function open(workflow: object, name = "missing"): Promise<void> {
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: `${name}.json`, type: "application/json", content });
  await page.getByRole("tab", { name }).waitFor();
}

/** How many pixels of the painted graph around a place have the colour of the hatching. */
async function hatchedAt({ x, y }: Place): Promise<number> {
  return page.locator("canvas.overview").evaluate(
    (each, place) => {
      const canvas = each as HTMLCanvasElement;
      const box = canvas.getBoundingClientRect();
      const scale = canvas.width / box.width;
      const [left, top] = [(place.x - box.left) * scale, (place.y - box.top) * scale];
      const data =
        canvas.getContext("2d")?.getImageData(left - 20, top - 20, 40, 40).data ??
        new Uint8ClampedArray();
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [red = 0, green = 0, blue = 0] = data.slice(at, at + 3);
        if (red - blue > 40 && red > green) count += 1;
      }
      return count;
    },
    { x, y },
  );
}

test("from afar and on the map they are hatched, subgraphs around them too", async () => {
  await open(WORKFLOW);
  await goFar(page);
  await expect.poll(() => page.locator(".overview").getAttribute("data-missing")).toBe("3");
  const view = await viewOf(page);
  // Painted again when the zoom has ended.
  await page.waitForTimeout(400);
  const around = ([x = 0, y = 0]: number[]) => hatchedAt(view.onScreen({ x: x + 150, y: y + 150 }));
  expect(await around([700, 0])).toBeGreaterThan(40);
  expect(await around([1400, 0])).toBeGreaterThan(40);
  expect(await around([0, 0])).toBe(0);
  await page.mouse.move(600, 400);
  await page.mouse.wheel(0, -900);
  await page.locator("[data-testid=minimap] canvas[data-missing='3']").waitFor();
});

test("the outline marks them, and what is around them", async () => {
  await open(WORKFLOW);
  await page.locator(".canvas").focus();
  await page.keyboard.press("o");
  const rows = page.getByRole("tree", { name: "Outline" }).getByRole("treeitem");
  const told = async () => {
    const all = await rows.evaluateAll((each) =>
      each.map((row) => [
        row.querySelector(".name")?.textContent,
        /(^|, )missing(,|$)/.test(row.getAttribute("aria-description") ?? ""),
      ]),
    );
    return Object.fromEntries(all);
  };
  await expect.poll(told).toMatchObject({ FromAPack: true, TextEncodeFibo2: true, Inside: true });
  expect(await told()).toMatchObject({ "Save Image": false });
});

test("a class of the program's own is never said to be a plugin's", async () => {
  const own = [
    node(1, "TextEncodeFibo2", [0, 0]),
    node(2, "OfTomorrow", [400, 0], { properties: { cnr_id: "comfy-core" } }),
  ];
  await open({ ...WORKFLOW, nodes: own, definitions: {} });
  await page
    .locator(".notice", { hasText: "nodes that this version of Calotype does not have" })
    .waitFor();
  expect(await page.locator(".card .foreign").allTextContents()).toEqual([
    "Not in this version of Calotype",
    "Not in this version of Calotype",
  ]);
  await page.getByRole("tab", { name: /Problems/ }).click();
  const lines = page.locator(".problem-groups li");
  await expect
    .poll(async () => (await lines.allTextContents()).join("\n"))
    .toContain(
      "This version of Calotype has no TextEncodeFibo2: it belongs to the model family Fibo 2.",
    );
  const all = (await lines.allTextContents()).join("\n");
  expect(all).toContain("This version of Calotype has no OfTomorrow: it is a built-in node");
  expect(all).not.toMatch(/plugin|install/i);
});

test("a class of a pack is said to be missing with its plugin", async () => {
  await open({ ...WORKFLOW, nodes: [WORKFLOW.nodes[1]], definitions: {} });
  await page.locator(".notice", { hasText: "not installed here" }).waitFor();
  expect(await page.locator(".card .foreign").textContent()).toBe("Not installed here");
});

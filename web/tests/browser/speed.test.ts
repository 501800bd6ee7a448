/**
 * Properties that keep the editor fast, checked by counts rather than by time; for times see
 * tests/bench/canvas.ts.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scriptBytes } from "../bench/bytes";
import { framesIn, heapOf } from "../bench/measure";
import { denseOf, type Scene, sceneOf, teachScene, workflowOf } from "../bench/scene";
import { savedLinks } from "./links";
import { drag } from "./pointer";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});

afterAll(async () => {
  await studio.close();
});

async function openScene(scene: Scene): Promise<Page> {
  const page = await openPage(studio, teachScene);
  await dropScene(page, scene, "scene");
  return page;
}

async function dropScene(page: Page, scene: Scene, name: string): Promise<void> {
  const content = Buffer.from(workflowOf(scene));
  await dropFile(page, { name: `${name}.json`, type: "application/json", content });
  await page.getByRole("tab", { name, exact: true }).waitFor();
}

/** Waits for half a second without a frame; a following check may then take longer. */
async function comesToRest(page: Page): Promise<void> {
  await expect.poll(() => framesIn(page, 500)).toEqual({ asked: 0, drawn: 0 });
}

const painted = (page: Page, count: number) => page.locator(`.overview[data-nodes="${count}"]`);
const elements = (page: Page) => page.evaluate(() => document.querySelectorAll("*").length);

async function zoomOf(page: Page): Promise<number> {
  return Number.parseInt((await page.locator(".zoom-bar .percent").textContent()) ?? "", 10);
}

async function middleOf(page: Page) {
  const box = await page.locator(".canvas").boundingBox();
  if (box === null) throw new Error("There is no canvas.");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

test("what the first page loads is small", () => {
  expect(scriptBytes().initial).toBeLessThanOrEqual(250_000);
});

test("a graph ten times as large has no more elements on the screen", async () => {
  const counts: number[] = [];
  for (const count of [1000, 2000]) {
    const page = await openScene(sceneOf(count));
    await painted(page, count).waitFor();
    expect(await page.locator(".react-flow__node").count()).toBe(0);
    expect(await elements(page)).toBeLessThan(2500);
    const { x, y } = await middleOf(page);
    await page.mouse.move(x, y);
    await page.getByTitle("Zoom to 100%").click();
    await page.locator(".card").first().waitFor();
    await page.waitForFunction(
      () => !document.querySelector(".canvas")?.classList.contains("arriving"),
    );
    expect(await page.locator(".react-flow__node").count()).toBeLessThan(60);
    counts.push(await elements(page));
    await page.context().close();
  }
  const [thousand = 0, two = 0] = counts;
  expect(thousand).toBeLessThan(5000);
  expect(Math.abs(two - thousand)).toBeLessThan(500);
});

test("no frame is drawn while nothing happens, nor after a run has ended", async () => {
  const page = await openPage(studio);
  const steps = page.locator(".card").getByRole("spinbutton", { name: "steps", exact: true });
  await steps.press("Enter");
  await page.keyboard.type("2");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+Enter");
  await page.locator(".card .picture img").first().waitFor({ timeout: 100_000 });
  await comesToRest(page);
  expect(await framesIn(page, 2000)).toEqual({ asked: 0, drawn: 0 });
  await page.context().close();

  const many = await openScene(sceneOf(1000));
  await painted(many, 1000).waitFor();
  await comesToRest(many);
  expect(await framesIn(many, 2000)).toEqual({ asked: 0, drawn: 0 });
  await many.context().close();
});

test("workflows that were closed are let go of", async () => {
  const page = await openPage(studio, teachScene);
  const scene = sceneOf(100);
  const heaps: number[] = [];
  for (let turn = 1; turn <= 30; turn += 1) {
    await dropScene(page, scene, `opened ${turn}`);
    await page.getByRole("button", { name: `Close opened ${turn}`, exact: true }).click();
    if (turn === 10 || turn === 30) {
      await comesToRest(page);
      heaps.push(await heapOf(page));
    }
  }
  const [after10 = 0, after30 = 0] = heaps;
  // One such workflow is half a megabyte, so twenty of them retained would be ten.
  expect(after30 - after10).toBeLessThan(2_500_000);
  await page.context().close();
});

test("painted nodes are selected, dragged, and put back by one undo", async () => {
  const page = await openScene(sceneOf(1000));
  await painted(page, 1000).waitFor();
  // A place on a node near the middle of the screen.
  const { x, y } = await middleOf(page);
  const inspected = page.getByRole("complementary", { name: "Inspector" }).locator("header h2");
  const at = await findNode(page, x, y, async () => (await inspected.count()) > 0);
  await page.mouse.move(at.x, at.y);
  await page.mouse.down();
  for (let step = 1; step <= 20; step += 1) await page.mouse.move(at.x + step * 6, at.y + step * 3);
  await page.mouse.up();
  const undo = page.getByRole("button", { name: "Undo" });
  await expect.poll(() => undo.getAttribute("data-tip")).toContain("Move");
  await page.keyboard.press("Control+z");
  await expect.poll(() => undo.isDisabled()).toBe(true);
  await page.context().close();
});

async function findNode(page: Page, x: number, y: number, found: () => Promise<boolean>) {
  for (const [right, down] of [
    [0, 0],
    [9, 0],
    [0, 9],
    [9, 9],
    [-9, 6],
  ] as const) {
    await page.mouse.click(x + right, y + down);
    if (await found()) return { x: x + right, y: y + down };
  }
  throw new Error("No node is painted there.");
}

test("wires that are too many are painted; near the pointer they are there to be taken", async () => {
  const page = await openPage(studio, teachScene);
  await page.setViewportSize({ width: 2600, height: 1500 });
  await dropScene(page, denseOf(150), "dense");
  const layer = page.locator(".wire-layer");
  await layer.waitFor();
  const count = async () => Number(await layer.getAttribute("data-wires"));
  const all = await count();
  expect(all).toBeGreaterThan(300);
  expect(await page.locator(".react-flow__edge").count()).toBe(0);
  const [from, to] = await Promise.all([
    page.locator('.react-flow__node[data-id="17"] [data-handleid="1"].source').boundingBox(),
    page.locator('.react-flow__node[data-id="18"] [data-handleid="in1"]').boundingBox(),
  ]);
  if (from === null || to === null) throw new Error("The sockets are not on the screen.");
  const at = { x: (from.x + from.width + to.x) / 2, y: (from.y + to.y + to.height) / 2 };
  await page.mouse.move(at.x - 1, at.y);
  await page.mouse.move(at.x, at.y);
  await page.locator(".react-flow__edge").waitFor({ state: "attached" });
  await expect.poll(count).toBe(all - 1);
  await page.mouse.click(at.x, at.y);
  await page.locator(".react-flow__edge .wire.selected").waitFor({ state: "attached" });
  await page.keyboard.press("Delete");
  await page.mouse.move(5, 300);
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(0);
  expect(await count()).toBe(all - 1);
  await page.keyboard.press("Control+z");
  await expect.poll(count).toBe(all);
  // Pulled from the middle of its socket, a painted wire is detached, drawn once meanwhile, and
  // moved.
  const links = await savedLinks(page);
  const other = page.locator('.react-flow__node[data-id="32"] [data-handleid="in1"]');
  await drag(page, page.locator('.react-flow__node[data-id="18"] [data-handleid="in1"]'), other);
  await page.locator(".pulled").waitFor({ state: "attached" });
  expect(await page.locator(".react-flow__edge-path").count()).toBe(0);
  await page.mouse.up();
  const taken = links.find((each) => each[3] === 18 && each[4] === 1);
  if (taken === undefined) throw new Error("the input is not joined");
  const rest = links.filter((each) => each !== taken && !(each[3] === 32 && each[4] === 1));
  const moved = [...rest, [taken[0], taken[1], taken[2], 32, 1, taken[5]]];
  const byId = (one: unknown[], two: unknown[]) => Number(one[0]) - Number(two[0]);
  expect((await savedLinks(page)).sort(byId)).toEqual(moved.sort(byId));
  await page.context().close();
});

test("a portal among painted wires has its two ends and no line between them", async () => {
  const page = await openPage(studio, teachScene);
  await page.setViewportSize({ width: 2600, height: 1500 });
  await dropScene(page, denseOf(150), "dense");
  const layer = page.locator(".wire-layer");
  await layer.waitFor();
  const socket = (node: number, name: string) =>
    page.locator(`.react-flow__node[data-id="${node}"] ${name}`).boundingBox();
  const [from, to] = [
    await socket(17, '[data-handleid="1"].source'),
    await socket(18, '[data-handleid="in1"]'),
  ];
  if (from === null || to === null) throw new Error("The sockets are not on the screen.");
  const at = { x: (from.x + from.width + to.x) / 2, y: (from.y + to.y + to.height) / 2 };
  const isPainted = () =>
    layer.evaluate((element, { x, y }) => {
      const canvas = element as HTMLCanvasElement;
      const box = canvas.getBoundingClientRect();
      const scale = canvas.width / box.width;
      const [left, top] = [(x - box.left) * scale, (y - box.top) * scale];
      const pixels = canvas.getContext("2d")?.getImageData(left - 2, top - 2, 4, 4).data ?? [];
      return pixels.some((value) => value > 0);
    }, at);
  const away = () => page.mouse.move(5, 300);
  await away();
  await expect.poll(isPainted).toBe(true);
  await page.mouse.move(at.x - 1, at.y);
  await page.mouse.click(at.x, at.y);
  await page
    .getByRole("toolbar", { name: "Wire" })
    .getByRole("button", { name: "Turn into a portal" })
    .click();
  await page.getByRole("textbox", { name: "Name of the portal" }).fill("far");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await away();
  await page.getByRole("button", { name: "Portal far: to 1 input" }).waitFor();
  await page.getByRole("button", { name: "Portal far: from its source" }).waitFor();
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(0);
  await expect.poll(isPainted).toBe(false);
  await page.context().close();
});

test("the map goes elsewhere, is put away, and stays away", async () => {
  const page = await openScene(sceneOf(300));
  const map = page.getByTestId("minimap");
  const box = await map.boundingBox();
  if (box === null) throw new Error("There is no map.");
  await page.getByTitle("Zoom to 100%").click();
  await page.locator(".card").first().waitFor();
  const cards = () =>
    page.locator(".react-flow__node").evaluateAll((all) => all.map((each) => each.dataset.id));
  await page.mouse.move(box.x + 30, box.y + 24);
  await page.mouse.down();
  await page.mouse.move(box.x + 20, box.y + 16, { steps: 4 });
  await page.mouse.up();
  await expect.poll(cards).toContain("1");
  await page.mouse.click(box.x + box.width - 30, box.y + 24);
  await expect.poll(cards).not.toContain("1");
  await page.keyboard.press("Alt+Shift+M");
  await map.waitFor({ state: "detached" });
  await page.reload();
  await page.locator(".canvas").waitFor();
  expect(await map.count()).toBe(0);
  await page.keyboard.press("Alt+Shift+M");
  await map.waitFor();
  await page.context().close();
});

test("the wheel is the canvas's, but for a long text that is being edited", async () => {
  const page = await openPage(studio);
  const text = page.locator(".card textarea").first();
  await text.fill("a line\n".repeat(60));
  await page.locator(".card-title").first().click();
  const before = await zoomOf(page);
  await text.hover();
  await page.mouse.wheel(0, -240);
  await expect.poll(() => zoomOf(page)).toBeGreaterThan(before);
  const nearer = await zoomOf(page);
  await text.click();
  await text.evaluate((each) => each.scrollTo(0, 0));
  await page.mouse.wheel(0, 120);
  await expect.poll(() => text.evaluate((each) => each.scrollTop)).toBeGreaterThan(0);
  expect(await zoomOf(page)).toBe(nearer);
  await page.context().close();
});

/** Two documents side by side, both live, by real pointer and keys. Their nodes have equal keys. */

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violations } from "./axe";
import { drag as dragTo, middleOf, type Place } from "./pointer";
import { dropFile, openPage, SEVEN_NODES, type Studio, startStudio } from "./studio";

const RUN = 110_000;
let studio: Studio;
let page: Page;

const pane = (name: string) => page.getByRole("region", { name, exact: true });
const node = (name: string, title: string) =>
  pane(name).getByRole("group", { name: title, exact: true });
const activeName = () => page.locator('.strip [role="tab"][aria-selected="true"]').textContent();
const edge = () => page.getByRole("separator", { name: "Width of the left side" });

async function drag(from: Place, to: Place): Promise<void> {
  await dragTo(page, from, to);
  await page.mouse.up();
}

async function openSmall(name: string): Promise<void> {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  for (const each of file.nodes) {
    if (each.type === "KSampler") each.widgets_values[2] = 2;
    if (each.type === "EmptyLatentImage") each.widgets_values = [64, 64, 1];
  }
  const content = Buffer.from(JSON.stringify({ ...file, id: crypto.randomUUID() }));
  await dropFile(page, { name: `${name}.json`, type: "application/json", content });
  await page.getByRole("tab", { name, exact: true }).waitFor();
}

beforeAll(async () => {
  studio = await startStudio();
  page = await openPage(
    studio,
    (each) => each.emulateMedia({ reducedMotion: "reduce" }),
    {},
    { stage: "closed" },
  );
  await openSmall("one");
  await openSmall("two");
});
afterAll(() => studio?.close());

test("the button shows the active document and another one, each with its own canvas", async () => {
  await page.getByRole("button", { name: "Split view", exact: true }).click();
  await pane("two").locator(".card").first().waitFor();
  await pane("one").locator(".card").first().waitFor();
  expect(await page.locator(".canvas").count()).toBe(2);
  expect(await activeName()).toBe("two");
  expect(await violations(page, "the split view")).toEqual([]);
});

test("a press gives a side the focus: a drag there moves its node and no other", async () => {
  const before = await middleOf(node("two", "KSampler"));
  const from = await middleOf(node("one", "KSampler").locator(".card-title"));
  await drag(from, { x: from.x + 30, y: from.y - 60 });
  expect(await activeName()).toBe("one");
  await expect
    .poll(async () => (await middleOf(node("one", "KSampler").locator(".card-title"))).y)
    .toBeLessThan(from.y - 40);
  expect(await middleOf(node("two", "KSampler"))).toEqual(before);
  await page.keyboard.press("Control+z");
  await expect
    .poll(async () =>
      Math.round((await middleOf(node("one", "KSampler").locator(".card-title"))).y),
    )
    .toBe(Math.round(from.y));
});

test("a text that is being typed stays in its document when the other side is pressed", async () => {
  const text = (name: string) => node(name, "Prompt").getByRole("textbox").first();
  const other = await text("two").inputValue();
  await text("one").click();
  await page.keyboard.press("End");
  await page.keyboard.type(", typed here");
  const title = await middleOf(node("two", "KSampler").locator(".card-title"));
  await page.mouse.click(title.x, title.y);
  expect(await activeName()).toBe("two");
  expect(await text("one").inputValue()).toContain("typed here");
  expect(await text("two").inputValue()).toBe(other);
});

test("a wire is pulled in the side that was not active, and only there", async () => {
  const handles = (name: string) =>
    node(name, "KSampler").locator('.react-flow__handle.target[data-handleid="latent_image"]');
  const wires = (name: string) => pane(name).locator(".wire").count();
  const [one, two] = [await wires("one"), await wires("two")];
  const from = await middleOf(handles("one"));
  await drag(from, { x: from.x - 4, y: from.y + 220 });
  await page.keyboard.press("Escape");
  await expect.poll(() => wires("one")).toBe(one - 1);
  expect(await wires("two")).toBe(two);
  expect(await activeName()).toBe("one");
  await page.keyboard.press("Control+z");
  await expect.poll(() => wires("one")).toBe(one);
});

test("a run in one side shows there while the other one is edited", async () => {
  await page.keyboard.press("Alt+Shift+b");
  await expect.poll(activeName).toBe("two");
  await page.keyboard.press("Control+Enter");
  const title = await middleOf(node("one", "KSampler").locator(".card-title"));
  await page.mouse.click(title.x, title.y);
  expect(await activeName()).toBe("one");
  await node("two", "Picture").locator(".picture img").waitFor({ timeout: RUN });
  expect(await node("one", "Picture").locator(".picture img").count()).toBe(0);
  expect(await activeName()).toBe("one");
});

test("the edge between them is dragged and moved by keys; a graph fitted before stays fitted", async () => {
  const width = async () => (await pane("one").boundingBox())?.width ?? 0;
  const before = await width();
  const from = await middleOf(edge());
  await drag(from, { x: from.x + 150, y: from.y });
  const change = (await width()) - before;
  expect(Math.abs(change)).toBeGreaterThan(140);
  await edge().focus();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(async () => Math.abs((await width()) - before)).toBeLessThan(Math.abs(change));
  await edge().dblclick();
  await expect.poll(async () => Math.abs((await width()) - before)).toBeLessThan(2);
});

test("it is there again after the page is reloaded", async () => {
  await page.waitForTimeout(1_500);
  await page.reload();
  await pane("one").locator(".card").first().waitFor();
  await pane("two").locator(".card").first().waitFor();
});

test("a closed side leaves its document open in its tab; a closed document ends the split", async () => {
  await pane("two").getByRole("button", { name: "Close this side" }).click();
  await expect.poll(() => page.locator(".canvas").count()).toBe(1);
  expect(await activeName()).toBe("one");
  await page.getByRole("tab", { name: "two", exact: true }).waitFor();
  await page.keyboard.press("Alt+b");
  await expect.poll(() => page.locator(".canvas").count()).toBe(2);
  await page.getByRole("button", { name: "Close one", exact: true }).click();
  await expect.poll(() => page.locator(".canvas").count()).toBe(1);
  await expect.poll(activeName).toBe("two");
});

async function command(id: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.locator(`[id="command-${id}"]`).click();
}

test("the same workflow is on both sides: an edit shows in both, a selection and a place in one", async () => {
  await command("view.splitOne");
  const second = "two, second view";
  await pane(second).locator(".card").first().waitFor();
  expect(await page.locator(".canvas").count()).toBe(2);
  const sampler = (name: string) => node(name, "KSampler").locator(".card-title");
  const before = await middleOf(sampler("two"));
  const from = await middleOf(sampler(second));
  await drag(from, { x: from.x + 30, y: from.y - 60 });
  await expect.poll(async () => (await middleOf(sampler("two"))).y).toBeLessThan(before.y - 20);
  const selected = (name: string) => pane(name).locator(".react-flow__node.selected").count();
  expect([await selected("two"), await selected(second)]).toEqual([0, 1]);
  expect(await violations(page, "two views of one workflow")).toEqual([]);
  await page.keyboard.press("Control+z");
  await expect
    .poll(async () => Math.round((await middleOf(sampler("two"))).y))
    .toBe(Math.round(before.y));
  const place = await middleOf(sampler("two"));
  await page.mouse.move(from.x + 20, from.y + 250);
  await page.mouse.wheel(0, -400);
  await expect.poll(async () => (await middleOf(sampler(second))).y).not.toBe(from.y);
  expect(await middleOf(sampler("two"))).toEqual(place);
});

test("two views are there again after a reload, and a closed one leaves the other", async () => {
  await page.waitForTimeout(1_500);
  await page.reload();
  await pane("two").locator(".card").first().waitFor();
  await pane("two, second view").locator(".card").first().waitFor();
  await pane("two").getByRole("button", { name: "Close this side" }).click();
  await expect.poll(() => page.locator(".canvas").count()).toBe(1);
  await page.locator(".card").first().waitFor();
  expect(await activeName()).toBe("two");
});

test("the form is beside its graph, and a value is one in both", async () => {
  await command("view.splitForm");
  const form = pane("Form of two");
  await form.waitFor();
  await form.getByRole("button", { name: /Create a form/ }).click();
  const text = node("two", "Prompt").getByRole("textbox").first();
  const field = form.getByRole("textbox").first();
  await field.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("a heron, from the form");
  await page.keyboard.press("Tab");
  await expect.poll(() => text.inputValue()).toBe("a heron, from the form");
  await text.click();
  await page.keyboard.press("End");
  await page.keyboard.type(" and the graph");
  await expect.poll(() => field.inputValue()).toBe("a heron, from the form and the graph");
  expect(await violations(page, "a graph beside its form")).toEqual([]);
  await form.getByRole("button", { name: "Close this side" }).click();
  await form.waitFor({ state: "detached" });
});

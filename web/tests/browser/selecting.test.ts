/** What a click selects and what a drag moves, with several nodes, close up and zoomed out. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { drag, goFar, middleOf, viewOf } from "./pointer";
import { dropFile } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const title = (name: string) => node(name).locator(".card-title");
const frame = () => page.getByRole("region", { name: "Frame", exact: true });
const count = () => page.locator(".selection-count").textContent();
const selected = () =>
  page
    .locator(".card.selected")
    .evaluateAll((cards) => cards.map((each) => each.getAttribute("aria-label")).sort());

/** Files position nodes by their body, below the title. */
const TITLE = 30;
const NODES = [
  { id: 1, type: "EmptyLatentImage", title: "One", pos: [0, 0], widgets_values: [64, 64, 1] },
  { id: 2, type: "MarkdownNote", title: "Two", pos: [320, 40], widgets_values: ["A *note*."] },
  { id: 3, type: "EmptyLatentImage", title: "Three", pos: [640, 0], widgets_values: [64, 64, 1] },
].map((each, order) => ({
  ...each,
  size: [200, 120],
  flags: {},
  order,
  mode: 0,
  inputs: [],
  outputs: [],
  properties: {},
}));
const FRAME = { title: "Frame", bounding: [-40, -100, 300, 300], color: "#3f789e" };

async function open(groups: readonly object[] = []): Promise<void> {
  const workflow = { last_node_id: 3, last_link_id: 0, nodes: NODES, links: [], groups };
  const content = Buffer.from(JSON.stringify({ ...workflow, version: 0.4 }));
  await dropFile(page, { name: "several.json", type: "application/json", content });
  await page.getByRole("tab", { name: "several" }).waitFor();
  await node("Three").waitFor();
}

const apart = async (one: string, other: string) => {
  const [from, to] = [await middleOf(node(one)), await middleOf(node(other))];
  return { x: Math.round(to.x - from.x), y: Math.round(to.y - from.y) };
};

/** The approximate heights of nodes in the graph, once the view rests. */
async function heights(...names: string[]): Promise<number[]> {
  const { inGraph } = await viewOf(page);
  const corners = await Promise.all(names.map((each) => inGraph(node(each))));
  // `+ 0` turns -0 into 0.
  return corners.map(({ y }) => Math.round((y + TITLE) / 50) * 50 + 0);
}

test("a click on one of several selected nodes selects it alone; a drag moves all of them", async () => {
  await open();
  await page.keyboard.press("Control+a");
  await expect.poll(selected).toEqual(["One", "Three", "Two"]);
  const [before, start] = [await apart("One", "Three"), await middleOf(node("One"))];
  const { x, y } = await middleOf(title("One"));
  await drag(page, { x, y }, { x: x + 60, y: y + 80 });
  await page.mouse.up();
  await expect.poll(async () => (await middleOf(node("One"))).y).toBeGreaterThan(start.y + 40);
  expect(await apart("One", "Three")).toEqual(before);
  expect(await selected()).toEqual(["One", "Three", "Two"]);

  await title("Three").click({ modifiers: ["Shift"] });
  await expect.poll(selected).toEqual(["One", "Two"]);
  await title("One").click();
  await expect.poll(selected).toEqual(["One"]);
  await page.keyboard.press("Control+a");
  await title("Two").click();
  await expect.poll(selected).toEqual(["Two"]);
  // A field that is typed into may belong to one of several selected nodes.
  await page.keyboard.press("Control+a");
  await node("Three").getByRole("spinbutton").first().click();
  expect(await selected()).toEqual(["One", "Three", "Two"]);
});

test("a hand that trembles while it clicks still clicks", async () => {
  await open();
  await page.keyboard.press("Control+a");
  const { x, y } = await middleOf(title("One"));
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 1, y);
  await page.mouse.up();
  await expect.poll(selected).toEqual(["One"]);
});

test("a click on the title of a folded frame selects what is in it alone", async () => {
  await open([FRAME]);
  await title("One").click();
  await page.keyboard.press("Control+a");
  await frame().getByRole("textbox").hover();
  await frame().getByRole("button", { name: "Fold the group", exact: true }).click();
  await page.locator(".fold").waitFor();
  await page.keyboard.press("Control+a");
  await expect.poll(count).toBe("3");
  const { x, y } = await middleOf(page.locator(".fold header"));
  await page.mouse.click(x, y);
  await expect.poll(selected).toEqual([]);
  await page.getByRole("button", { name: "Unfold the group" }).click();
  await expect.poll(selected).toEqual(["One"]);
});

test("a click on one of several painted nodes selects it alone; a drag moves all of them", async () => {
  await open();
  await page.keyboard.press("Control+a");
  await goFar(page);
  const far = await viewOf(page);
  const held = far.onScreen({ x: 60, y: 310 });
  await drag(page, far.onScreen({ x: 60, y: 10 }), held);
  await page.mouse.up();
  expect(await count()).toBe("3");
  await page.mouse.click(held.x, held.y);
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(selected).toEqual(["One"]);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => heights("One", "Three")).toEqual([300, 300]);
});

test("a frame that is painted from afar is dragged by its title, with all that lies in it", async () => {
  await open([FRAME]);
  await goFar(page);
  const { onScreen, scale } = await viewOf(page);
  const corner = onScreen({ x: FRAME.bounding[0] ?? 0, y: FRAME.bounding[1] ?? 0 });
  const grip = { x: corner.x + 12, y: corner.y - 8 };
  await drag(page, grip, { x: grip.x, y: grip.y + 300 * scale });
  await page.mouse.up();
  // A click on it selects its contents, as at other zooms.
  await page.mouse.click(grip.x, grip.y + 300 * scale);
  await page.getByRole("toolbar", { name: "Selected nodes" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => heights("One", "Two", "Three")).toEqual([300, 50, 0]);
  await frame().getByRole("textbox").waitFor();
  await page.keyboard.press("Control+z");
  await expect.poll(() => heights("One", "Two", "Three")).toEqual([0, 50, 0]);
});

test("from afar, Shift and Ctrl add painted nodes to what is selected, or take them away", async () => {
  await open();
  await goFar(page);
  const { onScreen } = await viewOf(page);
  const click = async (x: number, keys: "Shift" | "Control" | null) => {
    const at = onScreen({ x, y: 60 });
    if (keys !== null) await page.keyboard.down(keys);
    await page.mouse.click(at.x, at.y);
    if (keys !== null) await page.keyboard.up(keys);
  };
  await click(60, null);
  await click(400, "Shift");
  await expect.poll(count).toBe("2");
  await click(700, "Control");
  await expect.poll(count).toBe("3");
  await click(60, "Control");
  await expect.poll(count).toBe("2");
  await click(400, "Shift");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(selected).toEqual(["Three"]);
});

test("from afar, the right button on a frame's title opens the frame's menu", async () => {
  await open([FRAME]);
  await goFar(page);
  const { onScreen } = await viewOf(page);
  const corner = onScreen({ x: FRAME.bounding[0] ?? 0, y: FRAME.bounding[1] ?? 0 });
  await page.mouse.click(corner.x + 12, corner.y - 8, { button: "right" });
  await page.getByRole("menu", { name: "Group" }).waitFor();
  await page.getByRole("menuitem", { name: /^Remove the group, keep/ }).waitFor();
});

test("Escape puts back what is dragged from afar, nodes and frames", async () => {
  await open([FRAME]);
  await goFar(page);
  const { onScreen, scale } = await viewOf(page);
  const corner = onScreen({ x: FRAME.bounding[0] ?? 0, y: FRAME.bounding[1] ?? 0 });
  for (const from of [onScreen({ x: 700, y: 60 }), { x: corner.x + 12, y: corner.y - 8 }]) {
    await drag(page, from, { x: from.x, y: from.y + 200 * scale });
    await page.keyboard.press("Escape");
    await page.mouse.move(from.x, from.y + 300 * scale, { steps: 3 });
    await page.mouse.up();
    expect(await page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
  }
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => heights("One", "Two", "Three")).toEqual([0, 50, 0]);
});

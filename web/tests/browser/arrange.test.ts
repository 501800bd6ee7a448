/** Selecting, aligning, auto-layout and framing with a real pointer. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { dropFile } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const title = (name: string) => node(name).locator(".card-title");
const frame = (name: string) => page.getByRole("region", { name, exact: true });
const selected = () =>
  page
    .locator(".card.selected")
    .evaluateAll((cards) => cards.map((each) => each.getAttribute("aria-label")).sort());
const tools = () => page.getByRole("toolbar", { name: "Selected nodes" });

async function boxOf(locator: Locator): Promise<Box> {
  const box = await locator.boundingBox();
  if (box === null) throw new Error("it is not on the screen");
  return box;
}

/** Opens nodes of one class, by id and position, with frames around some of them. */
async function open(
  places: readonly (readonly [number, number])[],
  groups: readonly object[] = [],
): Promise<void> {
  const nodes = places.map(([x, y], index) => ({
    id: index + 1,
    type: "EmptyLatentImage",
    title: `N${index + 1}`,
    pos: [x, y],
    size: [200, 120],
    flags: {},
    order: index,
    mode: 0,
    inputs: [],
    outputs: [{ name: "LATENT", type: "LATENT", links: [] }],
    properties: {},
    widgets_values: [64, 64, 1],
  }));
  const workflow = {
    last_node_id: nodes.length,
    last_link_id: 0,
    nodes,
    links: [],
    groups,
    version: 0.4,
  };
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: "placed.json", type: "application/json", content });
  await node(`N${nodes.length}`).waitFor();
  // The view animates to its first position.
  await page.getByRole("tab", { name: "placed" }).waitFor();
  await still(node("N1"));
}

async function still(locator: Locator): Promise<void> {
  let before = "";
  await expect
    .poll(async () => {
      const now = JSON.stringify(await boxOf(locator));
      const same = now === before;
      before = now;
      return same;
    })
    .toBe(true);
}

async function drag(points: readonly { x: number; y: number }[], keys: readonly string[] = []) {
  const [first, ...others] = points;
  if (first === undefined) return;
  for (const key of keys) await page.keyboard.down(key);
  await page.mouse.move(first.x, first.y);
  await page.mouse.down();
  for (const { x, y } of others) await page.mouse.move(x, y, { steps: 4 });
  await page.mouse.up();
  for (const key of keys) await page.keyboard.up(key);
}

const ROW: [number, number][] = [
  [0, 0],
  [320, 40],
  [640, 0],
  [320, 320],
];

test("a box selects what it touches, adds and takes away", async () => {
  await open(ROW);
  const [one, two, three] = [
    await boxOf(node("N1")),
    await boxOf(node("N2")),
    await boxOf(node("N3")),
  ];
  const above = { x: one.x - 12, y: one.y - 12 };
  await drag([above, { x: two.x + 10, y: two.y + 20 }], ["Control"]);
  await expect.poll(selected).toEqual(["N1", "N2"]);
  const right = { x: three.x + three.width + 12, y: three.y - 12 };
  await drag([right, { x: three.x + three.width - 20, y: three.y + 20 }], ["Shift"]);
  await expect.poll(selected).toEqual(["N1", "N2", "N3"]);
  await drag([above, { x: one.x + 10, y: one.y + 20 }], ["Control", "Alt"]);
  await expect.poll(selected).toEqual(["N2", "N3"]);
  // With the select tool, no key is needed, and nothing moves.
  await page.keyboard.press("v");
  await drag([above, { x: one.x + 10, y: one.y + 20 }]);
  await expect.poll(selected).toEqual(["N1"]);
  expect(await boxOf(node("N1"))).toEqual(one);
  await page.keyboard.press("h");
  await drag([above, { x: above.x + 40, y: above.y + 30 }]);
  await expect.poll(async () => (await boxOf(node("N1"))).x).toBeGreaterThan(one.x + 20);
});

test("a lasso selects what it is drawn around, also when nodes are painted from afar", async () => {
  await open(ROW);
  const [one, three, four] = [
    await boxOf(node("N1")),
    await boxOf(node("N3")),
    await boxOf(node("N4")),
  ];
  const bottom = four.y + four.height + 20;
  // Around the first and the last node of the upper row and the lower node, but not the nodes
  // between.
  const bay = [
    { x: one.x - 12, y: one.y + 10 },
    { x: one.x + 20, y: bottom },
    { x: three.x + 40, y: bottom },
    { x: three.x + 60, y: three.y + 40 },
    { x: three.x + 20, y: three.y + 40 },
    { x: three.x - 10, y: four.y - 14 },
    { x: one.x + one.width + 10, y: four.y - 14 },
  ];
  await drag(bay, ["Alt"]);
  await expect.poll(selected).toEqual(["N1", "N3", "N4"]);
  await page.keyboard.press("Escape");
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, 240);
      return page.locator(".overview").count();
    })
    .toBe(1);
  const pane = await boxOf(page.locator(".canvas"));
  await drag(
    [
      { x: pane.x + 40, y: pane.y + 80 },
      { x: pane.x + pane.width - 40, y: pane.y + pane.height - 40 },
    ],
    ["Control"],
  );
  await expect.poll(() => tools().locator(".selection-count").textContent()).toBe("4");
});

test("what is selected is lined up, tidied, and put back by one undo", async () => {
  await open(ROW);
  await page.keyboard.press("Control+a");
  await tools().getByRole("button", { name: "Align and distribute" }).click();
  const menu = page.getByRole("menu", { name: "Align and distribute" });
  await menu.waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const left = async () => {
    const all = await Promise.all(["N1", "N2", "N3", "N4"].map((each) => boxOf(node(each))));
    return new Set(all.map((each) => Math.round(each.x))).size;
  };
  await expect.poll(left).toBe(1);
  await page.keyboard.press("Control+z");
  await expect.poll(left).toBe(3);

  await page.keyboard.press("Shift+l");
  const lapped = async () => {
    const all = await Promise.all(["N1", "N2", "N3", "N4"].map((each) => boxOf(node(each))));
    return all.some((one, index) =>
      all
        .slice(index + 1)
        .some(
          (other) =>
            one.x < other.x + other.width &&
            other.x < one.x + one.width &&
            one.y < other.y + other.height &&
            other.y < one.y + one.height,
        ),
    );
  };
  const step = async () => (await boxOf(node("N2"))).y - (await boxOf(node("N1"))).y;
  await expect.poll(async () => Math.abs(await step())).toBeLessThan(1);
  await still(node("N4"));
  expect(await lapped()).toBe(false);
  await page.keyboard.press("Control+z");
  await expect.poll(left).toBe(3);
});

test("a dragged node clicks into the line of its neighbour, and a pinned one stays", async () => {
  await open([
    [0, 0],
    [403, 301],
  ]);
  const before = await boxOf(node("N2"));
  const one = await boxOf(node("N1"));
  const grip = await boxOf(title("N2"));
  const start = { x: grip.x + 40, y: grip.y + 10 };
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  // A drag begins once the pointer has moved a little.
  await page.mouse.move(start.x - 1, start.y - 1);
  await page.mouse.move(start.x - 2, start.y - 2);
  await page.mouse.move(start.x - 60, start.y - 40, { steps: 4 });
  await page.mouse.move(start.x + (one.x - before.x) + 2, start.y - 30, { steps: 6 });
  await expect.poll(() => page.locator(".guide").count()).toBeGreaterThan(0);
  await page.mouse.up();
  await expect.poll(async () => Math.abs((await boxOf(node("N2"))).x - one.x)).toBeLessThan(0.5);
  expect(await page.locator(".guide").count()).toBe(0);

  await title("N1").click();
  await page.keyboard.press("p");
  await node("N1").getByLabel("pinned").waitFor();
  const apart = async () => (await boxOf(node("N2"))).y - (await boxOf(node("N1"))).y;
  const pinned = await apart();
  // The hand tool moves the view here, as over an empty place.
  await drag([
    { x: one.x + 40, y: one.y + 10 },
    { x: one.x + 200, y: one.y + 150 },
  ]);
  await expect.poll(async () => (await boxOf(node("N1"))).y).toBeCloseTo(one.y + 140, 0);
  await page.keyboard.press("Control+ArrowRight");
  expect(await apart()).toBeCloseTo(pinned, 0);
});

const FRAMES = [
  { title: "Outer", bounding: [-40, -100, 700, 340], color: "#3f789e" },
  { title: "Inner", bounding: [300, -60, 330, 260], color: "#8A8" },
];
const FRAMED: [number, number][] = [
  [0, 0],
  [340, 40],
  [0, 420],
];

test("a frame moves what lies in it, frames too; folded up it is one box", async () => {
  await open(FRAMED, FRAMES);
  const [one, two, three] = [
    await boxOf(node("N1")),
    await boxOf(node("N2")),
    await boxOf(node("N3")),
  ];
  const head = await boxOf(frame("Outer").locator("header").first());
  await drag([
    { x: head.x + head.width / 2, y: head.y + 10 },
    { x: head.x + head.width / 2 + 64, y: head.y + 42 },
  ]);
  await expect.poll(async () => (await boxOf(node("N2"))).x).toBeGreaterThan(two.x + 40);
  expect((await boxOf(node("N1"))).x - one.x).toBeCloseTo((await boxOf(node("N2"))).x - two.x, 0);
  expect(await boxOf(node("N3"))).toEqual(three);
  await page.keyboard.press("Control+z");
  await expect.poll(() => boxOf(node("N1"))).toEqual(one);

  await frame("Outer").getByRole("textbox").hover();
  await frame("Outer").getByRole("button", { name: "Fold the group", exact: true }).click();
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(2);
  expect(await node("N1").count()).toBe(0);
  expect(await frame("Inner").count()).toBe(0);
  await page.getByRole("button", { name: "Unfold the group" }).click();
  await node("N1").waitFor();
  expect(await boxOf(node("N1"))).toEqual(one);
});

test("a frame is named, made larger by its corner, and fitted to what it holds", async () => {
  await open(FRAMED, FRAMES);
  const inner = frame("Inner");
  await inner.getByRole("textbox").dblclick();
  await page.keyboard.type("Sizes");
  await page.keyboard.press("Enter");
  const named = frame("Sizes");
  await named.waitFor();
  const before = await boxOf(named);
  const corner = await boxOf(named.locator(".frame-corner"));
  const grip = { x: corner.x + corner.width - 3, y: corner.y + corner.height - 3 };
  await drag([grip, { x: grip.x + 12, y: grip.y + 6 }, { x: grip.x + 40, y: grip.y + 24 }]);
  await expect.poll(async () => (await boxOf(named)).width).toBeGreaterThan(before.width + 20);
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await boxOf(named)).width).toBeCloseTo(before.width, 0);
  const head = await boxOf(named.locator("header"));
  await page.mouse.click(head.x + 4, head.y + 6);
  await expect.poll(selected).toEqual(["N2"]);
  await page.keyboard.press("Control+Alt+f");
  await expect.poll(async () => (await boxOf(named)).width).toBeLessThan(before.width - 10);
});

test("Escape ends the drawing of a box as if it had not begun", async () => {
  await open(ROW);
  await title("N3").click();
  const one = await boxOf(node("N1"));
  await page.keyboard.down("Control");
  await page.mouse.move(one.x - 12, one.y - 12);
  await page.mouse.down();
  await page.mouse.move(one.x + 30, one.y + 30, { steps: 4 });
  await expect.poll(selected).toEqual(["N1"]);
  await page.keyboard.up("Control");
  await page.keyboard.press("Escape");
  await expect.poll(selected).toEqual(["N3"]);
  await page.mouse.up();
  expect(await selected()).toEqual(["N3"]);
});

test("wires enter and leave a folded frame", async () => {
  await title("Prompt").click();
  await title("Negative prompt").click({ modifiers: ["Shift"] });
  await page.keyboard.press("Control+g");
  const wires = await page.locator(".react-flow__edge").count();
  await frame("Group").getByRole("button", { name: "Fold the group", exact: true }).click();
  const box = page.locator(".fold");
  await box.waitFor();
  expect(await box.locator(".react-flow__handle.target").count()).toBe(2);
  expect(await box.locator(".react-flow__handle.source").count()).toBe(2);
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(wires);
});

test("a frame is muted as one, and gives every node its own state back", async () => {
  await open(FRAMED, FRAMES);
  await title("N2").click();
  await page.keyboard.press("Control+b");
  await expect.poll(() => page.locator(".card.bypassed").count()).toBe(1);
  await title("N3").click();
  const head = await boxOf(frame("Outer").locator("header").first());
  await page.mouse.click(head.x + 12 + head.width / 2, head.y + 10, { button: "right" });
  const menu = page.getByRole("menu", { name: "Group" });
  await menu.getByRole("menuitemcheckbox", { name: /^Mute the group/ }).click();
  await expect.poll(() => page.locator(".card.muted").count()).toBe(2);
  expect(await page.locator(".card.bypassed").count()).toBe(0);
  await frame("Outer").getByRole("button", { name: "Mute the group" }).click();
  await expect.poll(() => page.locator(".card.muted").count()).toBe(0);
  expect(await page.locator(".card.bypassed").count()).toBe(1);
});

test("the menu of a node is walked by keys, colours it, and gives the focus back", async () => {
  await title("KSampler").click({ button: "right" });
  await page.getByRole("menu", { name: "Selected nodes" }).waitFor();
  await page.keyboard.press("c");
  await page.keyboard.press("c");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("menu", { name: "Colour" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("Enter");
  await expect.poll(() => node("KSampler").getAttribute("class")).toContain("painted");
  expect(await page.getByRole("menu").count()).toBe(0);
  await page.keyboard.press("Control+z");
  await expect.poll(() => node("KSampler").getAttribute("class")).not.toContain("painted");
  await title("KSampler").click({ button: "right" });
  await page.keyboard.press("Escape");
  await expect.poll(() => page.getByRole("menu").count()).toBe(0);
});

test("a note is written in Markdown, and read without harm", async () => {
  await page.mouse.move(150, 620);
  await page.keyboard.press("Shift+n");
  const field = page.getByRole("textbox", { name: /Text of the note/ });
  await field.fill(
    "# Plan\n\n**bold** <b>raw</b> [link](https://example.org) ![far](https://example.org/x.png)\n\n[bad](javascript:alert(1))",
  );
  await page.keyboard.press("Escape");
  const note = node("Note");
  await note.getByRole("heading", { name: "Plan" }).waitFor();
  expect(await note.locator("b, script, img").count()).toBe(0);
  const link = note.getByRole("link", { name: "link" });
  expect(await link.getAttribute("rel")).toContain("noopener");
  expect(await link.getAttribute("target")).toBe("_blank");
  expect(await note.getByRole("link", { name: "far" }).count()).toBe(1);
  expect(await note.getByRole("link", { name: "bad" }).count()).toBe(0);
  await note.locator(".note-text").dblclick();
  await field.fill("changed");
  await page.keyboard.press("Control+Enter");
  await note.getByText("changed").waitFor();
  // A note does not run, so it has no problems.
  expect(await note.locator(".problem").count()).toBe(0);
});

test("a new group is named at once, and the keys act on the graph afterwards", async () => {
  await title("Prompt").click();
  await page.keyboard.press("Control+g");
  await page.locator("[data-frame] input:focus").waitFor();
  await page.keyboard.type("Words");
  await page.keyboard.press("Enter");
  await frame("Words").waitFor();
  await page.keyboard.press("Control+b");
  await expect.poll(() => page.locator(".card.bypassed").count()).toBe(1);
});

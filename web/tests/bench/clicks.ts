/**
 * Counts what a hand does for everyday tasks, with real pointer events; fails where a task does not
 * reach its end.
 *
 *     node tests/bench/clicks.ts      (Node 24; CALOTYPE_PYTHON as in tests)
 */
import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright-core";
import { dropFile, openPage, SEVEN_NODES, type Studio, startStudio } from "../browser/studio.ts";

const RUN = 110_000;

/** A hand on the pointer and the keys, which remembers what it did. */
class Hand {
  readonly done: string[] = [];
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async click(target: Locator, button: "left" | "right" = "left"): Promise<void> {
    const { x, y } = await middle(target);
    await this.page.mouse.click(x, y, { button });
    this.done.push(button === "left" ? "click" : "right click");
  }

  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text);
    this.done.push(`"${text}"`);
  }

  async press(key: string): Promise<void> {
    await this.page.keyboard.press(key);
    this.done.push(key);
  }

  async drag(from: Locator, to: { x: number; y: number }): Promise<void> {
    const { x, y } = await middle(from);
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(to.x, to.y, { steps: 8 });
    await this.page.mouse.up();
    this.done.push("drag");
  }
}

async function middle(target: Locator): Promise<{ x: number; y: number }> {
  await target.waitFor({ timeout: RUN });
  const box = await target.boundingBox();
  if (box === null) throw new Error("The target is not on the screen.");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** A workflow that runs in a moment, whose seed rolls as in the bundled ones. */
async function openSmall(page: Page): Promise<void> {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  for (const node of file.nodes) {
    if (node.type === "KSampler") node.widgets_values.splice(1, 2, "randomize", 2);
    if (node.type === "EmptyLatentImage") node.widgets_values = [64, 64, 1];
  }
  const content = Buffer.from(JSON.stringify(file));
  await dropFile(page, { name: "small.json", type: "application/json", content });
  await page.getByRole("tab", { name: "small", exact: true }).waitFor();
}

const run = (page: Page) => page.getByRole("button", { name: "Run", exact: true });
const onNode = (page: Page) =>
  page.getByRole("group", { name: "Picture", exact: true }).locator(".picture");

async function until(reached: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + RUN;
  while (!(await reached())) {
    if (Date.now() > end) throw new Error("The task did not reach its end.");
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function finished(page: Page, { address }: Studio): Promise<number> {
  const answer = await page.request.get(`${address}/api/calotype/history?limit=1`);
  return (await answer.json()).total;
}

/** Each task: what it is, and how it is done. */
const TASKS: readonly [string, (hand: Hand, page: Page, studio: Studio) => Promise<void>][] = [
  [
    "another picture with a new seed",
    async (hand, page) => {
      const before = await onNode(page).locator("img").getAttribute("src");
      await hand.click(run(page));
      await until(async () => (await onNode(page).locator("img").getAttribute("src")) !== before);
    },
  ],
  [
    "ten seeds",
    async (hand, page, studio) => {
      const before = await finished(page, studio);
      await hand.click(page.getByRole("textbox", { name: /^Number of runs/ }));
      await hand.type("10");
      await hand.press("Enter");
      await until(async () => (await finished(page, studio)) === before + 10);
    },
  ],
  [
    "save a picture from the node",
    async (hand, page) => {
      const saved = page.waitForEvent("download");
      await hand.click(onNode(page), "right");
      await hand.click(page.getByRole("menuitem", { name: "Save the picture" }));
      await saved;
    },
  ],
  [
    "result as an input, joined",
    async (hand, page) => {
      await hand.click(onNode(page), "right");
      await hand.click(page.getByRole("menuitem", { name: "Use as an input" }));
      await page.getByText("KSampler now begins with the picture").waitFor();
      await page.getByRole("button", { name: "Undo", exact: true }).click();
    },
  ],
  [
    "take a wire off",
    async (hand, page) => {
      const wires = page.locator(".react-flow__edge");
      const before = await wires.count();
      const socket = page
        .getByRole("group", { name: "KSampler", exact: true })
        .locator(".react-flow__handle[data-handleid='negative']");
      const { x, y } = await middle(socket);
      await hand.drag(socket, { x: x - 24, y: y + 190 });
      await page.keyboard.press("Escape");
      await until(async () => (await wires.count()) === before - 1);
      await page.getByRole("button", { name: "Undo", exact: true }).click();
    },
  ],
  [
    "the prompt for the API, as a file",
    async (hand, page) => {
      const saved = page.waitForEvent("download");
      await hand.click(page.getByRole("button", { name: "Menu", exact: true }));
      await hand.click(page.getByRole("menuitem", { name: "Export for the API" }));
      await saved;
    },
  ],
  [
    "text to image from an empty canvas",
    async (hand, page) => {
      await page.getByRole("button", { name: "New workflow" }).click();
      await hand.click(
        page.getByRole("region", { name: "Begin" }).getByRole("button", { name: /^Text to image/ }),
      );
      await page.locator(".card").first().waitFor();
    },
  ],
];

const studio = await startStudio();
try {
  const page = await openPage(studio, undefined, {}, { stage: "closed" });
  await openSmall(page);
  await run(page).click();
  await onNode(page).waitFor({ timeout: RUN });
  process.stdout.write("| task | by hand |\n| --- | --- |\n");
  for (const [task, perform] of TASKS) {
    const hand = new Hand(page);
    await perform(hand, page, studio);
    process.stdout.write(`| ${task} | ${hand.done.join(" + ")} |\n`);
  }
} finally {
  await studio.close();
}

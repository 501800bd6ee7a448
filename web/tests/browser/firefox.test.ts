/**
 * The main ways in Firefox: open, wire, edit, run, save, recover. Driven over WebDriver BiDi, which
 * the released browser speaks; skipped where no Firefox is installed, except in CI.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import puppeteer, { type Browser, type ElementHandle, type Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firefoxPath } from "./browserPath";
import { SEVEN_NODES, type Server, startServer } from "./studio";

const FIREFOX = firefoxPath();
const PATIENCE = 60_000;

const card = (title: string) => `.card[aria-label="${title}"]`;
const socket = (title: string, side: "source" | "target", id: string) =>
  `${card(title)} .react-flow__handle.${side}[data-handleid="${id}"]`;
const PROMPT = `${card("Prompt")} textarea`;

let server: Server;
let browser: Browser;
let page: Page;
/** What the page said went wrong; nothing may. */
const errors: string[] = [];

async function openPage(): Promise<Page> {
  const opened = await browser.newPage();
  opened.setDefaultTimeout(PATIENCE);
  opened.on("pageerror", (error) => errors.push(String(error)));
  await opened.goto(server.address);
  await opened.waitForSelector(".studio[aria-busy=false]");
  return opened;
}

/** The tests' seven nodes with few steps and a small picture, dropped as from a file manager. */
async function dropWorkflow(): Promise<void> {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  for (const node of file.nodes) {
    if (node.type === "KSampler") node.widgets_values[2] = 2;
    if (node.type === "EmptyLatentImage") node.widgets_values = [64, 64, 1];
  }
  await page.evaluate((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "small.json", { type: "application/json" }));
    const event = new DragEvent("drop", {
      dataTransfer: transfer,
      bubbles: true,
      cancelable: true,
    });
    document.querySelector(".canvas")?.dispatchEvent(event);
  }, JSON.stringify(file));
}

async function middleOf(selector: string): Promise<{ x: number; y: number }> {
  const element = (await page.waitForSelector(selector)) as ElementHandle<Element>;
  const box = await element.boundingBox();
  if (box === null) throw new Error(`${selector} is not on the screen.`);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

async function drag(from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 8 });
  await page.mouse.up();
}

const wires = () => page.$$eval(".react-flow__edge", (all) => all.length);
const prompt = () => page.$eval(PROMPT, (field) => (field as HTMLTextAreaElement).value);
const tab = () => page.$eval(".tab.active [role=tab]", (each) => each.textContent);

/** What the server has of the open documents. */
function journals(): string {
  const folder = join(server.user, "journals");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return files
    .filter((each) => each.isFile())
    .map((each) => readFileSync(join(each.parentPath, each.name), "utf8"))
    .join("\n");
}

async function pressed(...keys: Parameters<Page["keyboard"]["press"]>[0][]): Promise<void> {
  for (const key of keys.slice(0, -1)) await page.keyboard.down(key);
  await page.keyboard.press(keys.at(-1) ?? "Escape");
  for (const key of keys.slice(0, -1).reverse()) await page.keyboard.up(key);
}

describe.skipIf(FIREFOX === null)("in Firefox", () => {
  beforeAll(async () => {
    server = await startServer();
    browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: FIREFOX ?? "",
      headless: true,
      defaultViewport: { width: 1440, height: 900 },
    });
    page = await openPage();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test("a dropped workflow opens", async () => {
    await dropWorkflow();
    await expect.poll(tab).toBe("small");
    await expect.poll(() => page.$$eval(".card", (all) => all.length)).toBe(7);
  });

  test("a wire is taken off and joined again", async () => {
    const before = await wires();
    const input = await middleOf(socket("KSampler", "target", "negative"));
    await drag(input, { x: input.x - 24, y: input.y + 190 });
    await pressed("Escape");
    await expect.poll(wires).toBe(before - 1);
    await drag(await middleOf(socket("Negative prompt", "source", "0")), input);
    await expect.poll(wires).toBe(before);
    await pressed("Control", "z");
    await expect.poll(wires).toBe(before - 1);
    await pressed("Control", "Shift", "z");
    await expect.poll(wires).toBe(before);
  });

  test("a text and a number are edited", async () => {
    await page.click(PROMPT);
    await pressed("Control", "a");
    await page.keyboard.type("a lighthouse at night");
    await expect.poll(prompt).toBe("a lighthouse at night");
    const cfg = `${card("KSampler")} [data-input="cfg"] [role=spinbutton]`;
    await page.click(cfg);
    await pressed("Control", "a");
    await page.keyboard.type("2+3.5");
    await pressed("Enter");
    await expect
      .poll(() => page.$eval(cfg, (each) => each.getAttribute("aria-valuetext")))
      .toBe("5.5");
  });

  test("a run shows its picture, on the node and on the stage", async () => {
    await pressed("Control", "Enter");
    await page.waitForSelector(`${card("Picture")} .picture img`);
    await page.waitForSelector(".result-stage .stage-open img.arriving");
    await page.click(".result-stage .stage-open", { button: "right" });
    await page.waitForSelector('::-p-aria([name="Save the picture"][role="menuitem"])');
    await pressed("Escape");
    await page.waitForSelector("[role=menu]", { hidden: true });
  });

  test("it is saved under a name, and is there after a reload", async () => {
    await pressed("Control", "s");
    await page.waitForSelector("dialog[open] input");
    await page.click("dialog[open] input");
    await pressed("Control", "a");
    await page.keyboard.type("lighthouse");
    await pressed("Enter");
    await expect.poll(tab).toBe("lighthouse");
    await page.waitForSelector(".tab.active .dot", { hidden: true });
    await page.reload();
    await page.waitForSelector(".studio[aria-busy=false]");
    await expect.poll(prompt).toBe("a lighthouse at night");
    expect(await tab()).toBe("lighthouse");
  });

  test("what was not saved comes back after the window is gone", async () => {
    // Not by a click: after a reload the stage opens beside the graph, and the field moves.
    await page.focus(PROMPT);
    await pressed("Control", "a");
    await page.keyboard.type("a harbour in the morning");
    await expect.poll(prompt).toBe("a harbour in the morning");
    await expect.poll(journals, { timeout: PATIENCE }).toContain("a harbour in the morning");
    await page.close();
    page = await openPage();
    await page.waitForSelector(PROMPT);
    await expect.poll(prompt).toBe("a harbour in the morning");
    expect(errors).toEqual([]);
  });
});

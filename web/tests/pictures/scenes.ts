/** The scenes of the guide's pictures, and the user actions that lead to them. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { BrowserContextOptions, Locator, Page, PageScreenshotOptions } from "playwright-core";
import { dropFile, openPage, type Studio } from "../browser/studio.ts";

export interface Scene {
  show: (page: Page, studio: Studio) => Promise<void>;
  /** The part of the screen to show; without it, all. */
  clip?: (page: Page) => Promise<PageScreenshotOptions>;
  device?: BrowserContextOptions;
  settings?: Readonly<Record<string, unknown>>;
  quality?: number;
}

interface Place {
  x: number;
  y: number;
}

const WORKFLOWS = resolve(import.meta.dirname, "../../workflows");
const RUN = 180_000;
/** In milliseconds: by then the view rests and the map is drawn. */
export const REST = 500;
const PROMPTS = [
  "a city at night",
  "a snowman in front of a house",
  "purple mountains under a pink sky",
  "a tent beside a campfire under the stars",
  "an island with palm trees",
  "a hot-air balloon over green hills",
  "a field of red flowers",
  "aurora over dark mountains",
  "a small house on a green hill",
  "a lighthouse by the sea",
  "a red sun over blue mountains",
  "a castle on a hill at dusk",
];

const node = (page: Page, title: string) => page.getByRole("group", { name: title, exact: true });
const title = (page: Page, name: string) => node(page, name).locator(".card-title");
const prompt = (page: Page) => node(page, "Prompt").getByRole("textbox");
const dock = (page: Page) => page.getByRole("region", { name: "Results and queue" });
const input = (page: Page, of: string, name: string) =>
  node(page, of).locator(`.react-flow__handle.target[data-handleid="${name}"]`);
const output = (page: Page, of: string, slot = 0) =>
  node(page, of).locator(`.react-flow__handle.source[data-handleid="${slot}"]`);

async function middle(of: Locator): Promise<Place> {
  const box = await of.boundingBox();
  if (box === null) throw new Error("It is not on the screen.");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

async function pull(page: Page, from: Locator, to: Place): Promise<void> {
  const start = await middle(from);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + to.x) / 2, (start.y + to.y) / 2, { steps: 4 });
  await page.mouse.move(to.x, to.y, { steps: 4 });
}

async function setNumber(within: Locator, name: string, value: string): Promise<void> {
  await within.getByRole("spinbutton", { name, exact: true }).click();
  const typing = within.getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

async function command(page: Page, words: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill(words);
  await page.keyboard.press("Enter");
}

async function openDock(page: Page, name: string): Promise<void> {
  const tab = dock(page).getByRole("tab", { name: new RegExp(`^${name}`) });
  if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click();
}

async function closeDock(page: Page): Promise<void> {
  await dock(page).getByRole("button", { name: "Close" }).click();
}

async function hideInspector(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Inspector" }).click();
}

/** Shows the whole graph, with the pointer away from it. */
async function showAll(page: Page): Promise<void> {
  await page.locator(".react-flow__pane").click({ position: { x: 12, y: 16 } });
  await page.keyboard.press(".");
  await page.mouse.move(2, 420);
  await page.waitForTimeout(REST);
}

async function picturesIn(dialog: Locator, count: number): Promise<void> {
  const images = dialog.locator("img");
  await images.nth(count - 1).waitFor({ timeout: RUN });
  await images.first().evaluate((image: HTMLImageElement) => image.decode());
}

/** One result for each prompt, like a user who tries them. */
export async function fillHistory(studio: Studio): Promise<void> {
  const page = await openPage(studio);
  await openDock(page, "History");
  const last = page.locator(`#result-${PROMPTS.length - 1} img`);
  await page.waitForTimeout(REST);
  if ((await last.count()) === 0) {
    for (const words of PROMPTS) {
      await prompt(page).fill(words);
      await prompt(page).blur();
      const taken = page.waitForResponse((answer) => answer.url().endsWith("/prompt"));
      await page.keyboard.press("Control+Enter");
      await taken;
    }
    await last.waitFor({ timeout: PROMPTS.length * RUN });
  }
  await page.context().close();
}

async function choose(page: Page, ...places: readonly number[]): Promise<void> {
  await openDock(page, "History");
  for (const [index, place] of places.entries()) {
    await page.locator(`#result-${place}`).click(index > 0 ? { modifiers: ["Control"] } : {});
  }
}

async function openWorkflow(page: Page, name: string): Promise<void> {
  const content = readFileSync(resolve(WORKFLOWS, `${name}.json`));
  await dropFile(page, { name: `${name}.json`, type: "application/json", content });
  await page.getByRole("tab", { name }).waitFor();
}

async function frame(page: Page, name: string, titles: readonly string[], colour: string) {
  for (const [index, each] of titles.entries()) {
    await title(page, each).click(index > 0 ? { modifiers: ["Shift"] } : {});
  }
  await page.keyboard.press("Control+g");
  const made = page.getByRole("region", { name: "Group", exact: true });
  await made.getByRole("textbox").dblclick();
  await made.getByRole("textbox").fill(name);
  await page.keyboard.press("Enter");
  await command(page, `colour the selected nodes ${colour}`);
}

export const SCENES: Readonly<Record<string, Scene>> = {
  studio: {
    device: { viewport: { width: 1360, height: 850 } },
    show: async (page) => {
      await prompt(page).fill("a sailing boat on the sea at sunset");
      await page.keyboard.press("Control+Enter");
      await node(page, "Picture").locator(".picture img").waitFor({ timeout: RUN });
      await title(page, "KSampler").click();
      await page.mouse.move(2, 420);
    },
  },
  palette: {
    show: async (page) => {
      await hideInspector(page);
      await showAll(page);
      await page.mouse.move(300, 130);
      await page.keyboard.press("Shift+A");
      const dialog = page.getByRole("dialog", { name: "Add a node" });
      await dialog.getByRole("combobox").fill(">in:LATENT");
      await page.getByRole("option").first().waitFor();
      await page.keyboard.press("ArrowDown");
    },
  },
  wires: {
    show: async (page) => {
      await closeDock(page);
      await hideInspector(page);
      await showAll(page);
      const target = await middle(input(page, "KSampler", "latent_image"));
      await pull(page, output(page, "Load Checkpoint", 2), target);
    },
  },
  prompt: {
    show: async (page, { address }) => {
      await page.request.post(`${address}/api/userdata/tags%2Fwords.csv?overwrite=true`, {
        data: "castle_on_a_hill,0,41200,\ncastle,0,18300,\ncastle_ruins,0,5100,\ncat,0,900,\n",
        headers: { "Content-Type": "text/plain" },
      });
      await closeDock(page);
      await hideInspector(page);
      await title(page, "Prompt").click();
      await title(page, "Negative prompt").click({ modifiers: ["Shift"] });
      await page.keyboard.press(".");
      await page.waitForTimeout(REST);
      await prompt(page).fill("a (sailing boat:1.2) on the (sea:0.9) at sunset, ");
      await prompt(page).press("End");
      await prompt(page).pressSequentially("cas");
      await page
        .getByRole("option", { name: /castle/ })
        .first()
        .waitFor();
    },
    clip: async () => ({ clip: { x: 244, y: 96, width: 856, height: 330 } }),
  },
  arrange: {
    show: async (page) => {
      await closeDock(page);
      await hideInspector(page);
      await showAll(page);
      await frame(page, "Words", ["Prompt", "Negative prompt"], "green");
      await frame(page, "Model", ["Load Checkpoint"], "purple");
      await page.mouse.move(660, 560);
      await page.keyboard.press("Shift+n");
      const note = page.getByRole("textbox", { name: /Text of the note/ });
      await note.fill("## To try\n\n* **cfg** from 3 to 6\n* other [schedules](nodes.md)");
      await page.keyboard.press("Escape");
      await showAll(page);
      await title(page, "KSampler").click();
      await title(page, "VAE Decode").click({ modifiers: ["Shift"] });
      await page.getByRole("button", { name: "Align and distribute" }).click();
    },
  },
  subgraph: {
    show: async (page) => {
      await closeDock(page);
      await title(page, "KSampler").click();
      await title(page, "VAE Decode").click({ modifiers: ["Shift"] });
      await page.keyboard.press("Control+Shift+E");
      await title(page, "Subgraph").dblclick();
      await node(page, "KSampler").waitFor();
      await showAll(page);
    },
  },
  problems: {
    show: async (page) => {
      const file = resolve(WORKFLOWS, "text_to_image.json");
      const text = readFileSync(file, "utf8")
        .replace("calotype-demo.safetensors", "calotype-dem.safetensors")
        .replace("4.0,", "400.0,");
      const content = Buffer.from(text);
      await dropFile(page, { name: "from a friend.json", type: "application/json", content });
      await page.getByRole("tab", { name: "from a friend" }).waitFor();
      await page.getByRole("tab", { name: /^Problems \d/ }).click();
      await hideInspector(page);
      await showAll(page);
    },
  },
  history: {
    show: async (page) => {
      await hideInspector(page);
      await showAll(page);
      await openDock(page, "History");
      await page.locator("#result-0 img").waitFor();
      const edge = page.getByRole("separator", { name: "Height of the results" });
      await edge.focus();
      for (let step = 0; step < 5; step += 1) await page.keyboard.press("ArrowUp");
      await choose(page, 2);
    },
  },
  difference: {
    show: async (page) => {
      await choose(page, 1);
      await page.getByRole("button", { name: /^Differences .* open workflow$/ }).click();
      await page.getByRole("complementary", { name: "Differences" }).waitFor();
      await hideInspector(page);
      await closeDock(page);
      await setNumber(node(page, "KSampler"), "steps", "30");
      await title(page, "Negative prompt").click();
      await page.keyboard.press("Delete");
      await showAll(page);
    },
  },
  batch: {
    device: { viewport: { width: 1200, height: 860 } },
    show: async (page) => {
      await hideInspector(page);
      await showAll(page);
      await page.keyboard.press("Control+Shift+B");
      const dialog = page.getByRole("dialog", { name: "Run a batch" });
      await dialog.getByLabel("Input to vary").selectOption({ label: "KSampler · cfg" });
      await dialog.getByLabel("Values").fill("2..6 step 2");
      await dialog.getByRole("button", { name: "Vary another input" }).click();
      await dialog.getByLabel("Input to vary").nth(1).selectOption({ label: "Prompt · text" });
      await dialog
        .getByLabel("Values")
        .nth(1)
        .fill("a lighthouse by the sea\na castle on a hill at dusk");
      await dialog.getByRole("button", { name: "Queue 6 runs" }).click();
      const table = page.getByRole("table", { name: "The batch as a grid" });
      await picturesIn(table, 6);
      const edge = page.getByRole("separator", { name: "Height of the results" });
      await edge.focus();
      for (let step = 0; step < 6; step += 1) await page.keyboard.press("ArrowUp");
      await edge.blur();
    },
  },
  mask: {
    show: async (page) => {
      await choose(page, 3);
      await page.getByRole("toolbar").getByRole("button", { name: "Use as an input" }).click();
      await title(page, "Load Image").click();
      await command(page, "edit the mask");
      const stage = page.getByRole("application", { name: /^The image/ });
      await page.getByText(/512 x 512 pixels/).waitFor();
      const { x, y } = await middle(stage);
      await page.mouse.move(x - 60, y + 30);
      await page.mouse.down();
      for (const [right, down] of [
        [-10, -20],
        [30, 30],
        [-30, 60],
        [50, 70],
      ] as const) {
        await page.mouse.move(x + right, y + down, { steps: 4 });
      }
      await page.mouse.up();
    },
  },
  app: {
    device: { deviceScaleFactor: 2, hasTouch: true },
    show: async (page) => {
      await page.setViewportSize({ width: 390, height: 780 });
      await page.keyboard.press("Alt+m");
      const form = page.getByRole("region", { name: "Form" });
      await form
        .getByRole("textbox", { name: "Prompt", exact: true })
        .fill("a lighthouse by the sea");
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await picturesIn(page.getByRole("region", { name: "Results" }), 1);
    },
  },
  light: {
    settings: { "calotype.theme": "light" },
    show: async (page) => {
      await openWorkflow(page, "hires_fix");
      await hideInspector(page);
      await showAll(page);
      await page.keyboard.press("Control+a");
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Name of a command" }).fill("align");
    },
  },
  contrast: {
    settings: { "calotype.theme": "contrast" },
    show: async (page) => {
      await closeDock(page);
      await showAll(page);
      await title(page, "KSampler").click();
    },
  },
  running: {
    show: async (page) => {
      await closeDock(page);
      await hideInspector(page);
      await showAll(page);
      await prompt(page).fill("a castle on a hill at sunset");
      await setNumber(node(page, "KSampler"), "steps", "300");
      await page.keyboard.press("Control+Enter");
      const bar = page.getByRole("region", { name: "Run" }).locator(".plan");
      await bar.filter({ hasText: /1\d\d of 300/ }).waitFor({ timeout: RUN });
    },
    clip: async (page) => {
      await page.mouse.move(2, 420);
      return {};
    },
  },
};

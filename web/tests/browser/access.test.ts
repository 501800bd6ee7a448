/** axe finds no problem (WCAG 2.1 A and AA) in any state of the studio, in any theme. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { violations } from "./axe";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const WORKFLOWS = resolve(import.meta.dirname, "../../workflows");
const LONG = 400_000;

let studio: Studio;
let page: Page;
let opened = 0;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());
beforeEach(async () => {
  // Without animations, as contrast must not be measured during a fade.
  page = await openPage(studio, (each) => each.emulateMedia({ reducedMotion: "reduce" }));
});
afterEach(() => page.context().close());

const card = (title: string) => page.locator(".card", { hasText: title }).first();
const check = async (state: string) => {
  expect.soft(await violations(page, state), state).toEqual([]);
};

/** Runs a command by its title in the command palette. */
async function command(id: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.locator(`[id="command-${id}"]`).click();
}

async function open(name: string, change: (workflow: Saved) => void = () => {}): Promise<void> {
  const workflow = JSON.parse(readFileSync(resolve(WORKFLOWS, `${name}.json`), "utf8")) as Saved;
  change(workflow);
  const content = Buffer.from(JSON.stringify(workflow));
  opened += 1;
  const title = `${name} ${opened}`;
  await dropFile(page, { name: `${title}.json`, type: "application/json", content });
  await page.getByRole("tab", { name: title }).waitFor();
}

interface Saved {
  nodes: { type: string; widgets_values: unknown[] }[];
}

function smallAndQuick({ nodes }: Saved): void {
  for (const { type, widgets_values: values } of nodes) {
    if (type === "EmptyLatentImage") values.splice(0, 2, 64, 64);
    if (type === "KSampler") values[2] = 1;
  }
}

async function dialog(name: string, opened: () => Promise<void>): Promise<void> {
  await opened();
  await page.getByRole("dialog").first().waitFor();
  await check(name);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").first().waitFor({ state: "detached" });
}

test(
  "the graph: first screen, selections, menus, palettes, fields",
  async () => {
    await check("first screen");
    await card("KSampler").locator(".card-title").click();
    await check("a node selected");
    await dialog("replace a node", () => page.keyboard.press("Shift+R"));
    await dialog("choose what to connect", () => page.keyboard.press("c"));
    await dialog("help about a node", () => page.keyboard.press("F1"));
    await page.keyboard.press("Control+b");
    await check("a bypassed node");
    await page.keyboard.press("Control+b");
    await page.keyboard.press("Control+m");
    await check("a muted node");
    await page.keyboard.press("Control+m");
    await page.keyboard.press("Control+a");
    await check("all selected");
    await page.keyboard.press("Escape");
    await card("KSampler").locator(".card-title").click({ button: "right" });
    await page.getByRole("menu").waitFor();
    await check("menu of a node");
    await page.keyboard.press("Escape");
    await card("KSampler")
      .getByRole("button", { name: /^sampler_name/ })
      .click();
    await page.getByRole("listbox").waitFor();
    await check("a list of choices");
    await page.keyboard.press("Escape");
    await page
      .locator(".react-flow__edge-interaction")
      .first()
      .dispatchEvent("click", { clientX: 400, clientY: 300 });
    await check("a wire chosen");
    await page.keyboard.press("Escape");
    await page.locator(".react-flow__pane").click({ button: "right", position: { x: 300, y: 60 } });
    await page.getByRole("menu").waitFor();
    await check("menu of the canvas");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "More ways to run" }).click();
    await page.getByRole("menu").waitFor();
    await check("menu of ways to run");
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await page.mouse.click(400, 130);
    await dialog("add a node", () => page.keyboard.press("Shift+A"));
    await page.keyboard.press("Shift+A");
    await page.getByRole("combobox", { name: "Name of a node" }).fill("upsc");
    await check("add a node, by name");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await dialog("commands", () => page.keyboard.press("Control+k"));
    await page.keyboard.press("Control+g");
    await command("graph.note");
    await check("a note");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Control+g");
    await check("a frame");
  },
  LONG,
);

test(
  "sheets, dialogs and drawers",
  async () => {
    await dialog("settings", () => page.keyboard.press("Control+,"));
    await dialog("change the keys", () => command("help.changeKeys"));
    await dialog("keys", () => page.keyboard.press("?"));
    await dialog("templates", () => command("file.templates"));
    await dialog("what is missing", () => command("file.missing"));
    await dialog("many runs", () => page.keyboard.press("Control+Shift+B"));
    await dialog("versions", () => command("file.versions"));
    await dialog("blueprints", () => command("subgraph.blueprints"));
    await dialog("about", () => command("help.about"));
    await page.getByRole("button", { name: "Menu", exact: true }).click();
    await page.getByRole("menu", { name: "Calotype" }).waitFor();
    await check("menu of the logo");
    await page.keyboard.press("Escape");
    await page.getByRole("tab", { name: /^Log/ }).click();
    await page.getByRole("log", { name: "Log" }).waitFor();
    await check("the server's log");
    await page.getByRole("tab", { name: /^Results/ }).click();
    await dialog("a question", () => page.keyboard.press("Control+Shift+S"));
    for (const [name, key] of [
      ["Workflows", "w"],
      ["Models", "m"],
      ["Outline", "o"],
    ] as const) {
      await page.keyboard.press(key);
      await page.getByRole("complementary", { name }).last().waitFor();
      await check(`drawer of ${name}`);
      await page.keyboard.press("Escape");
      await page.mouse.click(400, 130);
      await page.keyboard.press("Escape");
    }
    await page.keyboard.press("Alt+m");
    await page.getByRole("region", { name: "Form" }).getByRole("textbox").first().waitFor();
    await check("app mode");
    await page.getByRole("button", { name: "Change the form" }).click();
    await check("the form being changed");
  },
  LONG,
);

test(
  "what is wrong, what is inside, and from afar",
  async () => {
    await open("text_to_image", ({ nodes }) => {
      for (const node of nodes) {
        if (node.type === "CheckpointLoaderSimple") node.widgets_values[0] = "lost.safetensors";
        if (node.type === "VAEDecode") node.type = "NobodyKnowsThis";
        if (node.type === "KSampler") node.widgets_values[3] = 900;
      }
    });
    await page.getByRole("tab", { name: /^Problems \d/ }).click();
    await check("problems");
    await dialog("what is missing, of this", () => command("file.missing"));
    await page.getByRole("tab", { name: /^Results/ }).click();
    await open("image_to_image");
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Control+Shift+E");
    await page.getByRole("group", { name: "Subgraph", exact: true }).waitFor();
    await check("a subgraph from outside");
    await page.keyboard.press("Alt+ArrowDown");
    await page.getByRole("navigation", { name: "Breadcrumb" }).waitFor();
    await check("a subgraph from inside");
    await page.keyboard.press("Alt+ArrowUp");
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("Alt+-");
    await expect.poll(() => page.locator(".card").count()).toBe(0);
    await check("from afar");
    await page.keyboard.press("Alt+n");
    await page.locator(".empty-canvas").waitFor();
    await check("an empty workflow");
  },
  LONG,
);

test(
  "results: running, dock, pictures, mask",
  async () => {
    await open("text_to_image", smallAndQuick);
    await page.keyboard.press("Control+Enter");
    await check("running");
    await page.locator(".card .picture img").first().waitFor({ timeout: 110_000 });
    await check("a result");
    await page.locator(".card .picture").first().click({ button: "right" });
    await page.getByRole("menu", { name: "Picture" }).waitFor();
    await check("menu of a picture");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Alt+s");
    await page.locator(".stage-open img").first().waitFor();
    await check("the stage");
    await page.keyboard.press("Alt+s");
    for (const name of ["Queue", "History"]) {
      await page.getByRole("tab", { name: new RegExp(`^${name}`) }).click();
      await page.getByRole("tabpanel", { name }).waitFor();
      await check(name);
    }
    await page.locator("#result-0 img").waitFor();
    await page.locator("#result-0").click();
    await check("a result chosen");
    await page.locator("#result-0").dblclick();
    await page.locator("dialog").first().waitFor();
    await check("a picture in full");
    await page.keyboard.press("Escape");
    await open("text_to_image", (workflow) => {
      smallAndQuick(workflow);
      for (const node of workflow.nodes) {
        if (node.type === "KSampler") node.widgets_values[0] = 11;
      }
    });
    await page.keyboard.press("Control+Enter");
    await page.locator("#result-1 img").waitFor({ timeout: 110_000 });
    await command("result.compare");
    await page.locator("dialog").first().waitFor();
    await check("two results compared");
    await page.keyboard.press("Escape");
    await command("result.difference");
    await check("what differs");
    await page.keyboard.press("Alt+n");
    const picture = await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(96, 64);
      canvas.getContext("2d")?.fillRect(0, 0, 48, 64);
      const blob = await canvas.convertToBlob({ type: "image/png" });
      return [...new Uint8Array(await blob.arrayBuffer())];
    });
    const content = Buffer.from(picture);
    await dropFile(page, { name: "plain.png", type: "image/png", content });
    await card("Load Image").waitFor();
    await command("node.mask");
    await page.getByRole("application", { name: /^The image/ }).waitFor();
    await check("the mask");
  },
  LONG,
);

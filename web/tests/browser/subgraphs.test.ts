/** Making, entering, editing and saving subgraphs in a real browser. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { isObject, type Json, parseJson, writeJson } from "../../src/document/json";
import { listOf } from "../../src/document/values";
import { openPage, runCommand, type Studio, startStudio } from "./studio";

let studio: Studio;
let page: Page;

const packs = mkdtempSync(join(tmpdir(), "calotype-packs-"));

beforeAll(async () => {
  mkdirSync(join(packs, "painter", "subgraphs"), { recursive: true });
  studio = await startStudio(["--custom-nodes-directory", packs]);
});
afterAll(async () => {
  await studio?.close();
  rmSync(packs, { recursive: true });
});
beforeEach(async () => {
  page = await openPage(studio);
});
afterEach(() => page.context().close());

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const title = (name: string) => node(name).locator(".card-title .name");
const inspector = () => page.getByRole("complementary", { name: "Inspector" });
const number = (within: Locator, name: string) =>
  within.getByRole("spinbutton", { name, exact: true });
const shown = (within: Locator, name: string) =>
  number(within, name).getAttribute("aria-valuetext");
const crumbs = () => page.getByRole("navigation", { name: "Breadcrumb" });

async function setNumber(within: Locator, name: string, value: string): Promise<void> {
  await number(within, name).click();
  const typing = within.getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

/** The sampler's fields that a new subgraph shows at once. */
const FIELDS = ["seed", "steps", "cfg"];

/** Makes a subgraph of the sampler and the decoder. */
async function make(): Promise<Locator> {
  await title("KSampler").click();
  await title("VAE Decode").click({ modifiers: ["Shift"] });
  await expect.poll(() => page.locator(".card.selected").count()).toBe(2);
  await page.keyboard.press("Control+Shift+E");
  await node("Subgraph").waitFor();
  return node("Subgraph");
}

async function goIn(): Promise<void> {
  await title("Subgraph").dblclick();
  await crumbs().waitFor();
  await node("KSampler").waitFor();
}

test("a selection becomes a subgraph, is gone into, shows a widget outside, and runs", async () => {
  const instance = await make();
  expect(await page.locator(".card").count()).toBe(6);
  expect(await instance.getByText("latent_image").count()).toBe(1);

  await goIn();
  await crumbs().getByText("Text to image").waitFor();
  expect(await page.locator(".card").count()).toBe(4);
  // Including those that cross the border, and those of the three fields shown outside.
  await expect.poll(() => page.locator(".canvas .react-flow__edge-path").count()).toBe(10);
  await title("KSampler").click();
  // Steps were shown at once, since users change them most; the sampler's name is shown by a click.
  await inspector().getByRole("button", { name: "sampler_name", exact: true }).click();
  await expect.poll(() => node("Inputs").getByText("sampler_name").count()).toBe(1);
  expect(await node("Inputs").getByText("steps").count()).toBe(1);
  await page.locator(".canvas").focus();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await crumbs().waitFor({ state: "detached" });

  await expect.poll(() => shown(instance, "steps")).toBe("24");
  await setNumber(instance, "steps", "2");
  await setNumber(node("Empty Latent Image"), "width", "64");
  await setNumber(node("Empty Latent Image"), "height", "64");
  await page.keyboard.press("Control+Enter");
  const picture = node("Picture").locator(".picture img");
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(64);
  await expect.poll(() => instance.locator(".mark").count()).toBe(1);
});

test("widgets of the inside are shown and hidden from outside", async () => {
  const instance = await make();
  await title("Subgraph").click();
  const inside = inspector().locator("details.inside");
  await inside.locator("summary").click();
  const steps = inside.getByRole("button", { name: "steps", exact: true });
  await expect.poll(() => shown(instance, "steps")).toBe("24");
  expect(await steps.getAttribute("aria-pressed")).toBe("true");
  await steps.click();
  await expect.poll(() => number(instance, "steps").count()).toBe(0);
  await steps.click();
  await expect.poll(() => shown(instance, "steps")).toBe("24");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => number(instance, "steps").count()).toBe(0);
});

test("prompts, sizes and the seed are outside at once, and what is typed there runs", async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+a");
  await title("Load Checkpoint").click({ modifiers: ["Shift"] });
  await title("Picture").click({ modifiers: ["Shift"] });
  await expect.poll(() => page.locator(".card.selected").count()).toBe(5);
  await page.keyboard.press("Control+Shift+E");
  const instance = node("Subgraph");
  await instance.waitFor();
  const prompt = instance.getByRole("textbox", { name: "Prompt", exact: true });
  expect(await prompt.inputValue()).toBe("a sailing boat on the sea at sunset");
  await instance.getByRole("textbox", { name: "Negative prompt", exact: true }).waitFor();
  await prompt.fill("a red house");
  await setNumber(instance, "width", "64");
  await setNumber(instance, "height", "64");
  await setNumber(instance, "steps", "2");
  await page.keyboard.press("Control+Enter");
  const picture = node("Picture").locator(".picture img");
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(64);
});

test("a seed that is shown outside is rolled or kept from there", async () => {
  const instance = await make();
  const before = (what: string) =>
    instance.getByRole("button", { name: `Before each run: ${what}`, exact: true });
  await before("Fixed").click();
  await page.getByRole("menuitemradio", { name: "Randomize" }).click();
  await before("Randomize").waitFor();
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await before("Fixed").waitFor();
});

test("seen from afar, an instance is gone into by a double click", async () => {
  const instance = await make();
  const canvas = page.locator(".canvas");
  const box = await canvas.boundingBox();
  const at = await instance.boundingBox();
  if (box === null || at === null) throw new Error("not on the page");
  // Zooming keeps the graph position under the pointer fixed.
  const [x, y] = [at.x + at.width / 2, at.y + at.height / 2];
  await page.mouse.move(x, y);
  for (let turn = 0; turn < 40 && (await page.locator(".card").count()) > 0; turn += 1) {
    await page.mouse.wheel(0, 300);
  }
  await expect.poll(() => page.locator(".card").count()).toBe(0);
  await page.mouse.dblclick(x, y);
  await crumbs().waitFor();
});

test("an edit inside is undone on its own level, and the subgraph unpacked is what it was", async () => {
  await make();
  await goIn();
  await setNumber(node("KSampler"), "denoise", "0.5");
  await crumbs().getByRole("button", { name: "Text to image" }).click();
  await crumbs().waitFor({ state: "detached" });
  await page.keyboard.press("Control+z");
  await crumbs().waitFor();
  await expect.poll(() => shown(node("KSampler"), "denoise")).toBe("1.00");
  await page.keyboard.press("Control+z");
  await crumbs().waitFor({ state: "detached" });
  await expect.poll(() => page.locator(".card").count()).toBe(7);
  await page.keyboard.press("Control+Shift+Z");
  await node("Subgraph").waitFor();
  await title("Subgraph").click();
  await page.keyboard.press("Control+Shift+U");
  await expect.poll(() => page.locator(".card").count()).toBe(7);
  await node("KSampler").waitFor();
});

test("ports are named, ordered, removed and made; what was saved comes back", async () => {
  const instance = await make();
  await goIn();
  await title("Inputs").click();
  const name = (label: string) =>
    inspector().getByRole("textbox", { name: `Name of the port ${label}` });
  await name("model").fill("the model");
  await name("model").press("Enter");
  await inspector().getByRole("button", { name: "Move the model down" }).click();
  await expect
    .poll(() => node("Inputs").locator(".socket-label").allTextContents())
    .toEqual(["positive", "the model", "negative", "latent_image", "vae", ...FIELDS, "New port"]);
  await inspector().getByRole("button", { name: "Remove the port negative" }).click();
  const from = node("Inputs").getByLabel("New port").first();
  await from.dragTo(node("KSampler").getByLabel("negative, CONDITIONING"));
  await expect.poll(() => name("negative").count()).toBe(1);
  await page.keyboard.press("Escape");
  await crumbs().getByRole("button", { name: "Text to image" }).click();
  await instance.getByText("the model").waitFor();
  expect(await instance.locator(".socket-label").allTextContents()).toEqual([
    "positive",
    "the model",
    "latent_image",
    "vae",
    "negative",
    "IMAGE",
  ]);

  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+s");
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill("with a subgraph");
  await page.keyboard.press("Enter");
  const saved = async (): Promise<Json> => {
    const path = encodeURIComponent("workflows/with a subgraph.json");
    const answer = await page.request.get(`${studio.address}/userdata/${path}`);
    return answer.ok() ? parseJson(await answer.text()) : null;
  };
  const subgraphs = async () => {
    const file = await saved();
    const definitions = isObject(file) && isObject(file.definitions) ? file.definitions : {};
    return listOf(definitions.subgraphs).filter(isObject);
  };
  await expect.poll(async () => (await subgraphs()).length).toBe(1);
  const [definition] = await subgraphs();
  expect(listOf(definition?.inputs).map((each) => isObject(each) && each.name)).toEqual([
    "positive",
    "model",
    "latent_image",
    "vae",
    ...FIELDS,
    "negative",
  ]);
  await runCommand(page, "earlier versions");
  const versions = page.getByRole("dialog", { name: "Versions of with a subgraph" });
  await versions.getByRole("listitem").first().getByRole("button").click();
  await versions.locator(".miniature").getByText("Subgraph", { exact: true }).waitFor();
  await page.reload();
  await goIn();
  expect(await node("Inputs").getByText("the model").count()).toBe(1);
});

test("a blueprint is kept, found in the palette, put down and deleted", async () => {
  await make();
  await inspector().getByRole("button", { name: "Save as a blueprint" }).click();
  const question = page.getByRole("dialog", { name: "Save the blueprint as" });
  await question.getByRole("textbox", { name: "Name" }).fill("Sample and decode");
  await question.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator(".canvas").focus();
  await page.keyboard.press("Shift+A");
  const search = page.getByRole("combobox");
  await search.fill("Sample and dec");
  const offer = page.getByRole("option", { name: "Sample and decode" });
  await offer.waitFor();
  await offer.click();
  await expect.poll(() => node("Subgraph").count()).toBe(2);

  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("blueprints");
  await page.getByRole("option", { name: "Show the blueprints" }).click();
  const dialog = page.getByRole("dialog", { name: "Blueprints" });
  await dialog.getByRole("button", { name: "Delete the blueprint Sample and decode" }).click();
  const sure = page.getByRole("dialog", { name: "Delete the blueprint Sample and decode?" });
  await sure.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog.getByText("Select a subgraph and save it").waitFor();
});

test("a bypassed node shows what goes through, a muted one what stops", async () => {
  await title("Empty Latent Image").click();
  await page.keyboard.press("Control+m");
  await expect.poll(() => node("KSampler").getByText("will not run").count()).toBe(1);
  await page.keyboard.press("Control+z");
  await title("KSampler").click();
  await page.keyboard.press("Control+b");
  await node("KSampler")
    .getByRole("img", { name: "latent_image passes through to LATENT" })
    .waitFor();
});

test("a subgraph that a plugin brings is put down, and is not the user's to delete", async () => {
  await make();
  await title("Subgraph").click();
  await page.keyboard.press("Control+c");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const content = parseJson(copied);
  if (!isObject(content)) throw new Error("nothing was copied");
  const path = join(packs, "painter", "subgraphs", "Soften.json");
  writeFileSync(path, writeJson({ ...content, links: [] }));

  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill("blueprints");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Blueprints" });
  const name = "Soften (painter)";
  const field = dialog.getByRole("textbox", { name: `Name of the blueprint ${name}` });
  await field.waitFor();
  expect(await field.isEditable()).toBe(false);
  expect(await dialog.getByRole("button", { name: `Delete the blueprint ${name}` }).count()).toBe(
    0,
  );
  await dialog.getByRole("button", { name: `Add ${name}` }).click();
  await expect.poll(() => node("Subgraph").count()).toBe(2);
});

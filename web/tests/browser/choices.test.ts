/**
 * The user's choices of commands, themes, keys and templates, and the report of what is missing.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { dropFile, openPage, runCommand, type Studio } from "./studio";

let studio: Studio;
let page: Page;

eachPage((opened, on) => {
  page = opened;
  studio = on;
});

const dialog = (name: string) => page.getByRole("dialog", { name, exact: true });

const command = (name: string) => runCommand(page, name);

test("every action is found by its name, and says its keys", async () => {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill("bypass");
  const found = page.getByRole("option", { name: /Bypass the selected nodes/ });
  await found.waitFor();
  expect(await found.locator("kbd").textContent()).toBe("Ctrl B");
  await page.keyboard.press("Escape");
  await command("show the keyboard shortcuts");
  await dialog("Keys and signs").getByText("Undo", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await expect.poll(() => dialog("Keys and signs").count()).toBe(0);
});

test("a theme is chosen, and is there in another browser", async () => {
  await page.keyboard.press("Control+,");
  await dialog("Settings").getByLabel("Theme", { exact: true }).selectOption("contrast");
  await expect
    .poll(() => page.evaluate(() => document.documentElement.dataset.theme))
    .toBe("contrast");
  await page.keyboard.press("Escape");
  await expect
    .poll(async () => (await page.request.get(`${studio.address}/settings/calotype.theme`)).text())
    .toBe('"contrast"');
  const other = await openPage(studio);
  await expect
    .poll(() => other.evaluate(() => document.documentElement.dataset.theme))
    .toBe("contrast");
  await other.context().close();
});

test("a command gets another key, which works, and goes back to its own", async () => {
  await command("change the keys");
  await dialog("Change the keys").getByRole("searchbox").fill("Select all nodes");
  await page.getByRole("button", { name: "Add a key: Select all nodes", exact: true }).click();
  await page.keyboard.press("Control+Alt+y");
  await dialog("Change the keys").getByText("Ctrl Alt Y").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Alt+y");
  await expect.poll(() => page.locator(".react-flow__node.selected").count()).toBe(7);
  await command("change the keys");
  await page.getByRole("button", { name: /Reset the keys of Select all nodes/ }).click();
  await expect.poll(() => dialog("Change the keys").getByText("Ctrl Alt Y").count()).toBe(0);
});

test("a key that is taken is told, and Escape closes the dialog wherever the focus was lost", async () => {
  await page.keyboard.press("Control+a");
  await command("change the keys");
  const keys = dialog("Change the keys");
  await keys.getByRole("searchbox").fill("Bypass the group");
  await keys.getByRole("button", { name: /Add a key: Bypass the group/ }).click();
  await page.keyboard.press("Control+m");
  await keys.getByText(/Also used by: Mute the selected nodes/).waitFor();
  // The button disappears as there is nothing left to reset, so the page gets the focus behind the
  // dialog.
  await keys.getByRole("button", { name: "Remove all custom keys" }).click();
  await keys.getByText(/Also used by/).waitFor({ state: "detached" });
  await page.keyboard.press("Delete");
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "hidden" });
  expect(await page.locator(".react-flow__node.selected").count()).toBe(7);
});

test("a template opens beside what was open", async () => {
  await command("start from a template");
  await dialog("Templates")
    .getByRole("button", { name: /Two passes/ })
    .click();
  await page.getByRole("tab", { name: "Two passes" }).waitFor();
  expect(await page.getByRole("tab", { name: "Text to image" }).count()).toBe(1);
});

test("a family's workflow names its missing files, and opens as a whole", async () => {
  await command("start from a template");
  const templates = dialog("Templates");
  await templates.getByRole("heading", { name: "Qwen-Image 2.1", exact: true }).waitFor();
  const tile = templates.getByRole("button", { name: /Qwen-Image 2\.1: edit pictures/ });
  await tile.getByText("qwen3vl_8b_int8_convrot.safetensors").waitFor();
  await tile.click();
  await page.getByRole("tab", { name: /Qwen-Image 2\.1: edit pictures/ }).waitFor();
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(9);
  await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(11);
});

test("what a workflow misses is named exactly, and its nodes stay", async () => {
  const workflow = {
    nodes: [
      { id: 1, type: "NotInstalled", pos: [0, 0], size: [240, 80], inputs: [], outputs: [] },
      {
        id: 2,
        type: "CheckpointLoaderSimple",
        pos: [300, 0],
        size: [240, 80],
        widgets_values: ["sd15/absent model.safetensors"],
      },
    ],
    links: [],
    version: 0.4,
  };
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: "absent.json", type: "application/json", content });
  await page.getByRole("button", { name: "Show what is missing" }).click();
  const sheet = dialog("What this workflow needs");
  await sheet.getByText("sd15/absent model.safetensors", { exact: true }).waitFor();
  await sheet.getByText("models/checkpoints", { exact: true }).waitFor();
  await sheet.getByText("NotInstalled", { exact: true }).first().waitFor();
  await page.keyboard.press("Escape");
  expect(await page.locator(".card").count()).toBe(2);
  // The notice is about one document, so it must not be shown with another one.
  await page.getByRole("tab", { name: "Text to image" }).click();
  await page.getByRole("button", { name: "Show what is missing" }).waitFor({ state: "detached" });
});

test("help about a node names its inputs with their ranges", async () => {
  await page.getByRole("group", { name: "KSampler", exact: true }).locator(".card-title").click();
  await page.keyboard.press("F1");
  await dialog("KSampler").getByRole("rowheader", { name: "denoise" }).waitFor();
  await dialog("KSampler").locator("code", { hasText: "denoise" }).first().waitFor();
  await page.keyboard.press("Escape");
});

test("the models drawer puts down the node that loads a file", async () => {
  const before = await page.locator(".card").count();
  await page.getByRole("button", { name: "Models", exact: true }).click();
  const drawer = page.getByRole("complementary", { name: "Models" });
  await drawer.getByText(/models\/embeddings$/).waitFor({ state: "attached" });
  await drawer.getByRole("button", { name: /calotype-demo\.safetensors/ }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(before + 1);
});

test("a path that is too long for its field is read by the file's name", async () => {
  const path = "some/rather/long/way/to/models/portraits.safetensors";
  const loader = { id: 1, type: "CheckpointLoaderSimple", pos: [0, 0], size: [230, 100] };
  const workflow = { nodes: [{ ...loader, widgets_values: [path] }], links: [], version: 0.4 };
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: "path.json", type: "application/json", content });
  const field = page.getByTitle(`${path} is missing`);
  await field.waitFor();
  const shares = () =>
    field.evaluate((button) => {
      const value = button.querySelector(".value")?.getBoundingClientRect();
      return [".folders", ".file"].map((part) => {
        const box = button.querySelector(part)?.getBoundingClientRect();
        return value === undefined || box === undefined ? 0 : box.width / value.width;
      });
    });
  for (const direction of ["ltr", "rtl"]) {
    await page.evaluate((dir) => document.documentElement.setAttribute("dir", dir), direction);
    const [folders = 1, file = 0] = await shares();
    expect(folders).toBeLessThan(0.4);
    expect(file).toBeGreaterThan(0.6);
    const [from, to] = await field.evaluate((button) =>
      [".folders", ".file"].map((part) => button.querySelector(part)?.getBoundingClientRect().x),
    );
    expect(from).toBeLessThan(to ?? 0);
  }
  await page.getByRole("button", { name: new RegExp(`${path}$`) }).waitFor();
});

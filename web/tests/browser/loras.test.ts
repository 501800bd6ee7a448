/** LoRAs named in a prompt: a node that loads them, or a tag for a plugin's node. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { violations } from "./axe";
import { eachPage } from "./eachPage";
import { addToCatalog } from "./everyKind";
import { savedFrom } from "./saved";
import { dropFile, SEVEN_NODES } from "./studio";

const FILES = ["style/ink.safetensors", "inkwash.safetensors", "boat.safetensors"];
const NODES = {
  LoraLoader: {
    input: {
      required: {
        model: ["MODEL"],
        clip: ["CLIP"],
        lora_name: [FILES],
        strength_model: ["FLOAT", { default: 1, min: -100, max: 100, step: 0.01 }],
        strength_clip: ["FLOAT", { default: 1, min: -100, max: 100, step: 0.01 }],
      },
    },
    output: ["MODEL", "CLIP"],
    output_name: ["MODEL", "CLIP"],
    display_name: "Load LoRA",
    python_module: "nodes",
  },
  TagEncode: {
    input: { required: { text: ["STRING", { multiline: true }], clip: ["CLIP"] } },
    output: ["CONDITIONING"],
    display_name: "Encode with tags",
    python_module: "custom_nodes.tags",
  },
};

let page: Page;

eachPage(
  (opened) => {
    page = opened;
  },
  async (each) => {
    // Without animations, as contrast must not be measured during a fade.
    await each.emulateMedia({ reducedMotion: "reduce" });
    await addToCatalog(each, NODES);
    await each.route("**/experiment/models/loras", (route) =>
      route.fulfill({
        json: FILES.map((name) => ({ name, pathIndex: 0, size: 1, modified: 1 })),
      }),
    );
    // The server does not have these classes.
    await each.route("**/calotype/check", (route) =>
      route.fulfill({ json: { prompt: {}, report: { error: null, node_errors: {} } } }),
    );
  },
);

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const offered = () => page.getByRole("listbox", { name: "Completions" });

interface Saved {
  nodes: {
    id: number;
    type: string;
    inputs?: { name: string; link: number | null }[];
    widgets_values?: unknown[];
  }[];
  links: [number, number, number, number, number, string][];
}

const saved = () => savedFrom<Saved>(page);

/** "CheckpointLoaderSimple > LoraLoader MODEL" for each wire of these types. */
function wiresOf({ nodes, links }: Saved): string[] {
  const typeOf = (id: number) => nodes.find((each) => each.id === id)?.type;
  return links
    .filter((each) => each[5] === "MODEL" || each[5] === "CLIP")
    .map(([, from, , to, , type]) => `${typeOf(from)} > ${typeOf(to)} ${type}`)
    .sort();
}

test("by Tab a node that loads it, for sampler and both prompts; the box's undo takes all back", async () => {
  const prompt = node("Prompt").getByRole("textbox");
  await prompt.fill("a boat, ");
  await prompt.press("End");
  await prompt.pressSequentially("<lora:ink");
  await offered().getByRole("option", { name: "inkwash LoRA, adds a loader" }).waitFor();
  expect(await offered().getByRole("option").count()).toBe(2);
  expect(await violations(page, "LoRAs offered")).toEqual([]);
  await prompt.press("Tab");
  await node("Load LoRA").waitFor();
  await page.getByText("The LoRA style/ink is loaded by Load LoRA").waitFor({ state: "attached" });
  expect(await prompt.inputValue()).toBe("a boat, ");
  expect(await prompt.evaluate((each) => each === document.activeElement)).toBe(true);
  expect(await offered().count()).toBe(0);

  // Undo first reverts what was typed afterwards.
  await prompt.pressSequentially("sea");
  for (let step = 0; step < 8 && (await prompt.inputValue()).startsWith("a boat, s"); step += 1) {
    await prompt.press("Control+z");
  }
  expect(await prompt.inputValue()).toBe("a boat, ");
  await node("Load LoRA").waitFor();
  await prompt.press("Control+z");
  await expect.poll(() => prompt.inputValue()).toBe("a boat, <lora:ink");
  await expect.poll(() => node("Load LoRA").count()).toBe(0);
  await prompt.press("Control+Shift+z");
  await node("Load LoRA").waitFor();
  await expect.poll(() => prompt.inputValue()).toMatch(/^a boat, (sea)?$/);
  await prompt.fill("a boat, ink");
  await prompt.press("End");
  await offered().getByRole("option", { name: "style/ink LoRA, loaded already" }).click();
  await expect.poll(() => prompt.inputValue()).toBe("a boat, ");

  const file = await saved();
  expect(wiresOf(file)).toEqual([
    "CheckpointLoaderSimple > LoraLoader CLIP",
    "CheckpointLoaderSimple > LoraLoader MODEL",
    "LoraLoader > CLIPTextEncode CLIP",
    "LoraLoader > CLIPTextEncode CLIP",
    "LoraLoader > KSampler MODEL",
  ]);
  const values = (type: string) => file.nodes.find((each) => each.type === type)?.widgets_values;
  expect(values("LoraLoader")).toEqual(["style/ink.safetensors", 1, 1]);
  expect(values("CLIPTextEncode")).toEqual(["a boat, "]);
});

test("a plugin's node gets the tag, whose weight the keys change", async () => {
  const file = JSON.parse(readFileSync(SEVEN_NODES, "utf8")) as Saved;
  for (const each of file.nodes) if (each.type === "CLIPTextEncode") each.type = "TagEncode";
  const content = Buffer.from(JSON.stringify(file));
  await dropFile(page, { name: "tags.json", type: "application/json", content });
  await page.getByRole("tab", { name: "tags", selected: true }).waitFor();
  const box = node("Prompt").getByRole("textbox");
  await box.fill("a boat, ");
  await box.press("End");
  await box.pressSequentially("<lora:style/i");
  await offered().getByRole("option", { name: "style/ink LoRA tag" }).waitFor();
  await box.press("Tab");
  await expect.poll(() => box.inputValue()).toBe("a boat, <lora:style/ink:1>");
  await box.press("Control+ArrowDown");
  await box.press("Control+ArrowDown");
  await expect.poll(() => box.inputValue()).toBe("a boat, <lora:style/ink:0.8>");
  expect(await node("Load LoRA").count()).toBe(0);
});

/**
 * With the keyboard alone: a graph from an empty document to its picture, the outline, the regions
 * of the screen.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { dropFile, SEVEN_NODES } from "./studio";

const RUN = 150_000;

let page: Page;

eachPage(
  (opened) => {
    page = opened;
  },
  (each) => each.emulateMedia({ reducedMotion: "reduce" }),
);

const press = (keys: string) => page.keyboard.press(keys);
const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const wires = () => page.locator(".react-flow__edge").count();
const heard = (text: RegExp | string) => page.getByRole("log").getByText(text).last();
const focused = () =>
  page.evaluate(() => {
    const { activeElement: each } = document;
    return each?.getAttribute("aria-label") ?? each?.tagName ?? "";
  });
const selected = () => page.locator(".card.selected").getAttribute("aria-label");

async function addNode(name: string): Promise<void> {
  await press("Shift+A");
  await choosing(name);
}

/** Chooses an entry in the open palette. */
async function choosing(name: string): Promise<void> {
  const palette = page.getByRole("dialog", { name: "Add a node" });
  await palette.waitFor();
  await page.keyboard.type(name);
  await palette.getByRole("option", { name }).first().waitFor();
  await press("Enter");
  await palette.waitFor({ state: "detached" });
  await expect.poll(selected).toContain(name);
}

/** Connects a socket of the selected node to the target of this name, or to a new node. */
async function connect(socket: string, target: string): Promise<void> {
  const before = await wires();
  const dialog = page.getByRole("dialog", { name: /^Connect / });
  await press("c");
  await dialog.waitFor();
  await page.keyboard.type(socket);
  await expect.poll(() => dialog.locator("[aria-selected=true]").textContent()).toContain(socket);
  await press("Enter");
  await dialog.getByRole("option", { name: "New node…" }).waitFor();
  if (target.startsWith("new ")) {
    await page.keyboard.type("new node");
    await press("Enter");
    await choosing(target.slice(4));
  } else {
    await page.keyboard.type(target);
    await expect.poll(() => dialog.locator("[aria-selected=true]").textContent()).toContain(target);
    await press("Enter");
    await dialog.waitFor({ state: "detached" });
  }
  await expect.poll(wires).toBe(before + 1);
}

async function walk(arrow: string, to: string): Promise<void> {
  await press(arrow);
  await expect.poll(selected).toBe(to);
  await expect.poll(focused).toBe(to);
}

/** Moves from the selected node into its fields by Enter, and to a number by Tab. */
async function setNumber(name: string, value: string): Promise<void> {
  await press("Enter");
  await expect.poll(() => page.locator(".card.selected :focus").count()).toBe(1);
  for (let tabs = 0; tabs < 8 && (await focused()) !== name; tabs += 1) await press("Tab");
  expect(await focused()).toBe(name);
  await press("Enter");
  await page.keyboard.type(value);
  await press("Enter");
  await press("Escape");
  await expect.poll(focused).toBe(await selected());
}

test("text to image is built from nothing, and run, without a pointer", async () => {
  await press("Alt+n");
  await page.locator(".empty-canvas").waitFor();
  await addNode("Load Checkpoint");
  await connect("MODEL", "new KSampler");
  await setNumber("steps", "1");
  await connect("positive", "new CLIP Text Encode");
  await press("Enter");
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
  await page.keyboard.type("a red boat");
  await press("Escape");
  await connect("clip", "Load Checkpoint · CLIP");
  await heard(/^Connected CLIP of Load Checkpoint to clip of CLIP Text Encode/).waitFor({
    state: "attached",
  });
  await walk("ArrowRight", "KSampler");
  await connect("negative", "new CLIP Text Encode");
  await connect("clip", "Load Checkpoint · CLIP");
  await walk("ArrowRight", "KSampler");
  await connect("latent_image", "new Empty Latent Image");
  await setNumber("width", "64");
  await setNumber("height", "64");
  await walk("ArrowRight", "KSampler");
  await connect("LATENT", "new VAE Decode");
  await connect("vae", "Load Checkpoint · VAE");
  await connect("IMAGE", "new Save Image");
  expect(await wires()).toBe(9);
  await press("Control+Enter");
  await heard(/^Running/).waitFor({ state: "attached", timeout: RUN });
  await heard("The run has finished").waitFor({ state: "attached", timeout: RUN });
}, 300_000);

test("arrows walk along wires, and a wire is chosen, taken off and brought back", async () => {
  await node("Load Checkpoint").focus();
  await walk("ArrowRight", "KSampler");
  await walk("ArrowLeft", "Load Checkpoint");
  expect(await node("Load Checkpoint").getAttribute("aria-description")).toMatch(
    /^1 of 7, .*sends MODEL to KSampler/,
  );
  await walk("ArrowRight", "KSampler");
  const before = await wires();
  await press("Shift+C");
  await heard(/^Wire of MODEL from Load Checkpoint to KSampler/).waitFor({ state: "attached" });
  await press("Delete");
  await expect.poll(wires).toBe(before - 1);
  await press("Control+z");
  await heard("Undone: Delete").waitFor({ state: "attached" });
  await expect.poll(wires).toBe(before);
});

test("Tab goes through and never traps; F6 goes round the parts of the screen", async () => {
  await press("Tab");
  await page.getByRole("dialog", { name: "Add a node" }).waitFor();
  await press("Escape");
  const passed: string[] = [];
  const at = () =>
    page.evaluate(() => document.activeElement?.closest("section, aside, nav")?.className);
  for (let step = 0; step < 120; step += 1) {
    await press("Tab");
    const place = (await at()) ?? "out";
    if (place !== passed.at(-1)) passed.push(place);
  }
  expect(await page.getByRole("dialog").count()).toBe(0);
  for (const part of ["run-bar", "dock", "inspector"]) {
    expect(
      passed.some((each) => each.includes(part)),
      passed.join(),
    ).toBe(true);
  }
  await node("KSampler").focus();
  const round: string[] = [];
  for (let step = 0; step < 6; step += 1) {
    await press("F6");
    round.push(
      await page.evaluate(
        () =>
          document.activeElement?.closest("header.top-bar, nav, section, aside")?.className ?? "",
      ),
    );
  }
  expect(round.join()).toMatch(/run-bar.*dock.*inspector/);
});

test("a node that is far off is seen and built when the focus goes to it", async () => {
  for (let step = 0; step < 12; step += 1) await press("Alt+-");
  await expect.poll(() => page.locator(".card").count()).toBe(0);
  await press("ArrowRight");
  await expect.poll(() => page.locator(".card.selected").count()).toBe(1);
  await expect.poll(focused).toBe(await selected());
});

test("the outline has all nodes as a tree, and goes with the canvas", async () => {
  await press("o");
  const tree = page.getByRole("tree", { name: "Outline" });
  await tree.waitFor();
  await expect.poll(() => tree.getByRole("treeitem").count()).toBe(7);
  await expect.poll(focused).toBe("Outline");
  await press("v");
  await expect.poll(selected).toBe("VAE Decode");
  const row = tree.getByRole("treeitem", { name: "VAE Decode" });
  expect(await row.getAttribute("aria-selected")).toBe("true");
  expect(await row.getAttribute("aria-description")).toMatch(/receives samples from KSampler/);
  await press("Home");
  await expect.poll(selected).toBe("Load Checkpoint");
  await press("Control+m");
  const first = tree.getByRole("treeitem", { name: "Load Checkpoint" });
  await expect.poll(() => first.getAttribute("aria-description")).toMatch(/^muted, /);
  await node("Prompt").locator(".card-title").click();
  await expect
    .poll(() =>
      tree.getByRole("treeitem", { name: "Prompt", exact: true }).getAttribute("aria-selected"),
    )
    .toBe("true");
  await tree.focus();
  await press("Enter");
  await expect.poll(focused).toBe("Prompt");
});

test("a thousand nodes are walked, and listed without building them all", async () => {
  const one = (
    JSON.parse(readFileSync(SEVEN_NODES, "utf8")) as { nodes: { type: string }[] }
  ).nodes.find((each) => each.type === "EmptyLatentImage");
  const nodes = Array.from({ length: 1_000 }, (_, index) => ({
    ...one,
    id: index + 1,
    title: `Latent ${index + 1}`,
    pos: [(index % 25) * 320, Math.floor(index / 25) * 220],
    outputs: [{ name: "LATENT", type: "LATENT", links: [] }],
  }));
  const content = Buffer.from(JSON.stringify({ nodes, links: [], version: 0.4 }));
  await dropFile(page, { name: "many.json", type: "application/json", content });
  await page.getByRole("tab", { name: "many" }).waitFor();
  await press("o");
  const tree = page.getByRole("tree", { name: "Outline" });
  await tree.waitFor();
  await press("End");
  await expect.poll(() => selected()).toBe("Latent 1000");
  expect(await tree.getByRole("treeitem").count()).toBeLessThan(80);
  await press("Enter");
  await expect.poll(focused).toBe("Latent 1000");
  await walk("ArrowLeft", "Latent 999");
  await walk("ArrowUp", "Latent 974");
});

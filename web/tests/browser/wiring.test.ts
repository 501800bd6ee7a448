/** Adding and connecting nodes in a real browser, with and without the pointer. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { savedLinks } from "./links";
import { drag as dragOn, middleOf, type Place } from "./pointer";
import { runCommand } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const wires = () => page.locator(".react-flow__edge");
const input = (title: string, name: string) =>
  node(title).locator(`.react-flow__handle.target[data-handleid="${name}"]`);
const output = (title: string, slot = 0) =>
  node(title).locator(`.react-flow__handle.source[data-handleid="${slot}"]`);
const palette = () => page.getByRole("dialog", { name: "Add a node" });
const points = () => page.getByRole("button", { name: /^Reroute point/ });

const drag = (from: Locator | Place, to: Locator | Place) => dragOn(page, from, to);

/** A place on the line of a wire, given by its target node and input. */
async function onWire(target: string, name: string, share = 0.5): Promise<Place> {
  const edges = wires();
  for (let index = 0; index < (await edges.count()); index += 1) {
    const edge = edges.nth(index);
    const path = edge.locator(".react-flow__edge-path");
    const end = await middleOf(input(target, name));
    const place = await path.evaluate((element, part) => {
      const line = element as SVGPathElement;
      const matrix = line.getScreenCTM();
      const at = (length: number) => {
        const point = line.getPointAtLength(length);
        return {
          x: point.x * (matrix?.a ?? 1) + (matrix?.e ?? 0),
          y: point.y * (matrix?.d ?? 1) + (matrix?.f ?? 0),
        };
      };
      return { end: at(line.getTotalLength()), middle: at(line.getTotalLength() * part) };
    }, share);
    if (Math.hypot(place.end.x - end.x, place.end.y - end.y) < 8) return place.middle;
  }
  throw new Error(`no wire ends in ${name} of ${target}`);
}

async function clickEmpty(): Promise<void> {
  await page.locator(".react-flow__pane").click({ position: { x: 60, y: 60 } });
}

test("the palette finds by what nodes are called, by signs, and adds without a pointer", async () => {
  await clickEmpty();
  await page.keyboard.press("Tab");
  const typing = palette().getByRole("combobox");
  await page.keyboard.type("text");
  const first = palette().getByRole("option").first();
  await expect.poll(() => first.textContent()).toContain("CLIP Text Encode");
  expect(await typing.getAttribute("aria-activedescendant")).toBe(await first.getAttribute("id"));
  await palette().getByText("Encode a prompt").waitFor();

  await typing.fill("#mas");
  await page.keyboard.press("Tab");
  await expect.poll(() => typing.inputValue()).toBe("#mask ");
  await typing.fill("<out:MASK solid");
  await expect.poll(() => palette().getByRole("option").count()).toBe(1);
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.press("Enter");
  await palette().waitFor({ state: "detached" });
  await expect.poll(() => node("SolidMask").count()).toBe(2);

  await page.keyboard.press("Tab");
  await expect.poll(() => first.textContent()).toContain("SolidMask");
  await palette().getByRole("group", { name: "Recently used" }).waitFor();
  // The categories begin with "3d" and "advanced".
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await palette().getByRole("option", { name: "conditioning" }).first().waitFor();
});

test("a pulled wire offers its sockets in turn, and joins the one that was chosen", async () => {
  await drag(output("Prompt"), { x: 420, y: 130 });
  await page.mouse.up();
  await page.keyboard.type("advanced sampler");
  await palette().getByText("connects to positive").waitFor();
  await page.keyboard.press("Tab");
  await palette().getByText("connects to negative").waitFor();
  await page.keyboard.press("Enter");
  await node("KSampler (Advanced)").waitFor();
  await expect.poll(() => wires().count()).toBe(10);
  await onWire("KSampler (Advanced)", "negative");
});

test("points on wires are added, moved, taken away, undone, and saved as ComfyUI does", async () => {
  const place = await onWire("KSampler", "latent_image", 0.15);
  await page.keyboard.down("Alt");
  await page.mouse.click(place.x, place.y);
  await page.keyboard.up("Alt");
  await expect.poll(() => points().count()).toBe(1);
  const before = await middleOf(points());
  await drag(points(), { x: before.x + 30, y: before.y + 90 });
  await page.mouse.up();
  const after = await middleOf(points());
  expect(after.y).toBeGreaterThan(before.y + 60);
  await page.keyboard.down("Alt");
  await drag(points(), input("VAE Decode", "samples"));
  await page.mouse.up();
  await page.keyboard.up("Alt");
  await page.getByRole("button", { name: "Reroute point of 2 wires of LATENT" }).waitFor();
  await page.keyboard.press("Control+z");
  await page.getByRole("button", { name: "Reroute point of 1 wire of LATENT" }).waitFor();

  await points().focus();
  await page.keyboard.press("ArrowDown");
  await expect.poll(async () => (await middleOf(points())).y).toBeGreaterThan(after.y);

  await page.reload();
  await expect.poll(() => points().count()).toBe(1);
  await points().focus();
  await page.keyboard.press("Delete");
  await expect.poll(() => points().count()).toBe(0);
  expect(await wires().count()).toBe(9);
  await page.keyboard.press("Control+z");
  await expect.poll(() => points().count()).toBe(1);
});

test("a wire becomes a portal with a name, and a wire again", async () => {
  const place = await onWire("VAE Decode", "vae", 0.3);
  await page.mouse.click(place.x, place.y);
  await page
    .getByRole("toolbar", { name: "Wire" })
    .getByRole("button", { name: "Turn into a portal" })
    .click();
  await page.getByRole("textbox", { name: "Name of the portal" }).fill("decoder");
  await page.keyboard.press("Enter");
  const source = page.getByRole("button", { name: "Portal decoder: to 1 input" });
  const target = page.getByRole("button", { name: "Portal decoder: from its source" });
  await source.waitFor();
  await target.dblclick();
  await expect
    .poll(() => page.locator(".react-flow__node.selected").getAttribute("data-id"))
    .toBe(await node("Load Checkpoint").getAttribute("data-node"));
  await page.reload();
  await source.click();
  await page.getByRole("button", { name: "Turn into a wire" }).click();
  await expect.poll(() => source.count()).toBe(0);
  // Only wires in view are mounted.
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => wires().count()).toBe(9);
});

test("a node dragged onto a wire goes into it, shaken it comes out again", async () => {
  await clickEmpty();
  await page.keyboard.press("Tab");
  await page.keyboard.type("upscale latent by");
  await page.keyboard.press("Enter");
  const title = node("Upscale Latent By").locator(".card-title");
  await drag(title, await onWire("VAE Decode", "samples"));
  await page.locator(".wire-glow").waitFor();
  await page.mouse.up();
  await expect.poll(() => wires().count()).toBe(10);
  await onWire("Upscale Latent By", "samples");
  const place = await middleOf(title);
  await page.keyboard.press("Control+z");
  await expect.poll(() => wires().count()).toBe(9);
  await expect.poll(async () => (await middleOf(title)).x).not.toBeCloseTo(place.x, 0);
  await page.keyboard.press("Control+Shift+z");
  await expect.poll(() => wires().count()).toBe(10);

  const start = await middleOf(title);
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  // A shake must be quick, so a slow machine may need several tries.
  await expect
    .poll(async () => {
      for (let turn = 0; turn < 8; turn += 1) {
        await page.mouse.move(start.x + (turn % 2 === 0 ? 60 : -60), start.y + 120);
      }
      return wires().count();
    })
    .toBe(9);
  await page.mouse.up();
  // The shake and the movement are one step of undo.
  await page.keyboard.press("Control+z");
  await expect.poll(() => wires().count()).toBe(10);
  const back = await middleOf(title);
  expect(Math.hypot(back.x - start.x, back.y - start.y)).toBeLessThan(12);
});

test("the beginning of one wire is taken by its line, and it keeps its points", async () => {
  const place = await onWire("KSampler", "latent_image", 0.3);
  await page.keyboard.down("Alt");
  await page.mouse.click(place.x, place.y);
  await page.keyboard.up("Alt");
  await expect.poll(() => points().count()).toBe(1);
  await clickEmpty();
  await page.keyboard.press("Tab");
  await page.keyboard.type("empty latent image");
  await page.keyboard.press("Enter");
  await expect.poll(() => node("Empty Latent Image").count()).toBe(2);
  const made = node("Empty Latent Image").last();
  const before = await savedLinks(page);
  const [latent] = before.filter((each) => each[1] === 4);
  if (latent === undefined) throw new Error("the latent is joined to nothing");
  // Beside its socket on the line, as the socket itself would begin another wire.
  await drag(
    await onWire("KSampler", "latent_image", 0.12),
    made.locator('.react-flow__handle.source[data-handleid="0"]'),
  );
  await page.mouse.up();
  const id = Number(await made.getAttribute("data-node"));
  expect(await savedLinks(page)).toEqual(
    before.map((each) => (each === latent ? [each[0], id, 0, ...each.slice(3)] : each)),
  );
  expect(await points().count()).toBe(1);
});

const command = (name: string) => runCommand(page, name);

/** The source of an input, as shown in the inspector of the node. */
async function sourceOf(name: string): Promise<string | null> {
  return page
    .getByRole("complementary", { name: "Inspector" })
    .locator(".wires > div")
    .filter({ has: page.locator("dt", { hasText: name }) })
    .locator("dd")
    .textContent();
}

test("two inputs are swapped, and a node made anew keeps its wires and values", async () => {
  await node("KSampler").locator(".card-title").click();
  expect([await sourceOf("positive"), await sourceOf("negative")]).toEqual([
    "Prompt",
    "Negative prompt",
  ]);
  await command("Swap two inputs");
  await expect.poll(() => sourceOf("positive")).toBe("Negative prompt");
  expect(await sourceOf("negative")).toBe("Prompt");
  await page.keyboard.press("Control+z");
  await expect.poll(() => sourceOf("positive")).toBe("Prompt");

  const steps = node("KSampler").getByRole("spinbutton", { name: "steps", exact: true });
  const before = await steps.getAttribute("aria-valuetext");
  await command("Recreate the selected nodes");
  await expect.poll(() => wires().count()).toBe(9);
  expect(await steps.getAttribute("aria-valuetext")).toBe(before);
  expect(await node("KSampler").count()).toBe(1);
});

test("wires are drawn straight and in right angles, too", async () => {
  const line = () => wires().first().locator(".react-flow__edge-path").getAttribute("d");
  expect(await line()).toContain("C");
  const choose = async (shape: string) => {
    await page.keyboard.press("Control+,");
    const dialog = page.getByRole("dialog", { name: "Settings" });
    await dialog.getByRole("combobox", { name: "Shape of wires" }).selectOption({ label: shape });
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  };
  await choose("Straight");
  await expect.poll(line).toMatch(/^M[^C]*L[^C]*$/);
  await choose("Right angles");
  await expect.poll(line).toMatch(/^M.*L.*[CQ].*L/);
  await choose("Curved");
  await expect.poll(line).toMatch(/^M[^L]*C[^L]*$/);
});

test("nodes are copied from one tab into another, with their wires and values", async () => {
  await node("KSampler").locator(".card-title").click();
  await node("VAE Decode")
    .locator(".card-title")
    .click({ modifiers: ["Shift"] });
  await page.keyboard.press("Control+c");
  await page.getByRole("button", { name: "New workflow" }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(0);
  await page.locator(".react-flow__pane").click({ position: { x: 300, y: 300 } });
  await page.keyboard.press("Control+v");
  await node("KSampler").waitFor();
  await node("VAE Decode").waitFor();
  expect(await wires().count()).toBe(1);
  await expect
    .poll(() =>
      node("KSampler")
        .getByRole("spinbutton", { name: "steps", exact: true })
        .getAttribute("aria-valuetext"),
    )
    .toBe("24");
});

test("Shift moves all wires of a socket, Alt copies a node with its sources", async () => {
  await clickEmpty();
  await page.keyboard.press("Tab");
  await page.keyboard.type("load checkpoint");
  await page.keyboard.press("Enter");
  await expect.poll(() => node("Load Checkpoint").count()).toBe(2);
  const [old, made] = [node("Load Checkpoint").first(), node("Load Checkpoint").last()];
  const clip = '.react-flow__handle.source[data-handleid="1"]';
  await page.keyboard.down("Shift");
  await drag(old.locator(clip), made.locator(clip));
  await page.mouse.up();
  await page.keyboard.up("Shift");
  const top = await middleOf(made.locator(clip));
  const starts = await wires()
    .locator(".react-flow__edge-path")
    .evaluateAll((paths) =>
      paths.map((each) => {
        const line = each as SVGPathElement;
        const matrix = line.getScreenCTM();
        const point = line.getPointAtLength(0);
        return {
          x: point.x * (matrix?.a ?? 1) + (matrix?.e ?? 0),
          y: point.y * (matrix?.d ?? 1) + (matrix?.f ?? 0),
        };
      }),
    );
  expect(starts.filter((each) => Math.hypot(each.x - top.x, each.y - top.y) < 8)).toHaveLength(2);

  const decode = await middleOf(node("VAE Decode").locator(".card-title"));
  await page.keyboard.down("Alt");
  await drag(decode, { x: decode.x, y: decode.y - 130 });
  await page.mouse.up();
  await page.keyboard.up("Alt");
  await expect.poll(() => node("VAE Decode").count()).toBe(2);
  await expect.poll(() => wires().count()).toBe(11);
  await page.keyboard.press("Control+z");
  await expect.poll(() => node("VAE Decode").count()).toBe(1);
});

test("a node is replaced by another, and what is lost is said before", async () => {
  await node("KSampler").locator(".card-title").click();
  await page.keyboard.press("Shift+R");
  const replacing = page.getByRole("dialog", { name: "Replace the node" });
  await expect
    .poll(() => replacing.getByRole("option").first().textContent())
    .toContain("KSampler (Advanced)");
  await replacing.getByText("All wires and values are kept.").waitFor();
  await page.keyboard.type("vae decode");
  await replacing.getByText(/Would be lost: .*model/).waitFor();
  await replacing.getByRole("combobox").fill("");
  await page.keyboard.press("Enter");
  await node("KSampler (Advanced)").waitFor();
  expect(await node("KSampler").count()).toBe(0);
  expect(await wires().count()).toBe(9);
  expect(
    await node("KSampler (Advanced)")
      .getByRole("spinbutton", { name: "noise_seed", exact: true })
      .getAttribute("aria-valuetext"),
  ).toBe("7");
});

test("a pasted workflow is asked about, nodes with their sources are pasted with Shift", async () => {
  await page.evaluate(() =>
    navigator.clipboard.writeText(
      JSON.stringify({
        last_node_id: 1,
        last_link_id: 0,
        links: [],
        version: 0.4,
        nodes: [{ id: 1, type: "SolidMask", pos: [0, 0], size: [200, 80] }],
      }),
    ),
  );
  await clickEmpty();
  await page.keyboard.press("Control+v");
  await page.getByRole("button", { name: "Insert here" }).click();
  await node("SolidMask").waitFor();

  await node("VAE Decode").locator(".card-title").click();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+Shift+v");
  await expect.poll(() => node("VAE Decode").count()).toBe(2);
  await expect.poll(() => wires().count()).toBe(11);
});

test("a wire dropped on another one joins it, and wires may be shown of the selection only", async () => {
  await clickEmpty();
  await page.keyboard.press("Tab");
  await page.keyboard.type("upscale latent by");
  await page.keyboard.press("Enter");
  await drag(output("Upscale Latent By"), await onWire("KSampler", "latent_image", 0.15));
  await page.mouse.up();
  await expect.poll(() => wires().count()).toBe(10);
  await onWire("Upscale Latent By", "samples");

  const lines = page.locator(".react-flow__edge-path");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+w");
  await expect.poll(() => lines.count()).toBe(0);
  await node("VAE Decode").locator(".card-title").click();
  await expect.poll(() => lines.count()).toBe(3);
  await page.keyboard.press("Alt+w");
  await expect.poll(() => lines.count()).toBe(10);
});

test("a node is inserted from a wire's menu, by what fits into it, and healed out again", async () => {
  const place = await onWire("VAE Decode", "samples");
  await page.mouse.click(place.x, place.y);
  const menu = page.getByRole("toolbar", { name: "Wire" });
  await menu.getByRole("button", { name: "Insert a node…" }).click();
  await palette().getByRole("option").first().waitFor();
  expect(await palette().getByRole("option", { name: "VAE Encode" }).count()).toBe(0);
  await page.keyboard.type("flip");
  await page.keyboard.press("Enter");
  await node("Flip Latent").waitFor();
  await expect.poll(() => wires().count()).toBe(10);
  await page.keyboard.press("Control+Delete");
  await expect.poll(() => node("Flip Latent").count()).toBe(0);
  expect(await wires().count()).toBe(9);
});

test("what can be done with a wire stands within the canvas, beside the inspector", async () => {
  const place = await onWire("VAE Decode", "samples");
  await page.mouse.click(place.x, place.y);
  const menu = page.getByRole("toolbar", { name: "Wire", exact: true });
  await menu.waitFor();
  const [row, canvas] = [await menu.boundingBox(), await page.locator(".canvas").boundingBox()];
  if (row === null || canvas === null) throw new Error("one of them is not on the screen");
  expect(row.x + row.width).toBeLessThanOrEqual(canvas.x + canvas.width);
  expect(row.y + row.height).toBeLessThan(place.y);
});

/** Wires pulled from the middle of a socket; results are read from the saved document. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { linksOf, socketsOn } from "./links";
import { drag, middleOf, type Place } from "./pointer";
import { dropFile } from "./studio";

let page: Page;
let on: ReturnType<typeof socketsOn>;

eachPage((opened) => {
  page = opened;
  on = socketsOn(opened);
});

const palette = () => page.getByRole("dialog", { name: "Add a node" });
const reason = (text: string | RegExp) => page.locator(".reason").getByText(text);
const said = (text: string | RegExp) => page.locator(".notice").getByText(text);
const links = () => linksOf(page);
const MODEL = "CheckpointLoaderSimple.MODEL > KSampler.model";
const POSITIVE = "Prompt.CONDITIONING > KSampler.positive";
const NEGATIVE = "Negative prompt.CONDITIONING > KSampler.negative";
const LATENT = "EmptyLatentImage.LATENT > KSampler.latent_image";
const SAMPLES = "KSampler.LATENT > VAEDecode.samples";

async function pull(from: Locator | Place, to: Locator | Place): Promise<void> {
  await drag(page, from, to);
  await page.mouse.up();
}

async function emptyPlace(): Promise<Place> {
  const box = await page.locator(".canvas").boundingBox();
  return { x: (box?.x ?? 0) + 60, y: (box?.y ?? 0) + 60 };
}

async function held<Value>(key: string, act: () => Promise<Value>): Promise<Value> {
  await page.keyboard.down(key);
  const made = await act();
  await page.keyboard.up(key);
  return made;
}

const undo = () => page.keyboard.press("Control+z");
const isUndoable = async () => !(await page.getByRole("button", { name: "Undo" }).isDisabled());

/** Opens nodes far apart, so that a wire starts without neighbours. */
async function open(nodes: readonly object[], saved: readonly unknown[] = []): Promise<void> {
  const workflow = {
    version: 0.4,
    last_node_id: 9,
    last_link_id: 9,
    groups: [],
    nodes,
    links: saved,
  };
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: "pulled.json", type: "application/json", content });
  await page.getByRole("tab", { name: "pulled" }).waitFor();
}

interface Slot {
  name: string;
  type: string;
  link?: number | null;
  links?: number[];
}

const put = (id: number, type: string, x: number, inputs: Slot[], outputs: Slot[], more = {}) => ({
  id,
  type,
  pos: [x, 0],
  size: [240, 140],
  mode: 0,
  inputs,
  outputs,
  ...more,
});
const latents = (id: number, x: number, more = {}) =>
  put(id, "EmptyLatentImage", x, [], [{ name: "LATENT", type: "LATENT", links: [] }], {
    widgets_values: [64, 64, 1],
    ...more,
  });

test("a connected input gives its wire up: over nothing it is gone, one step brings it back", async () => {
  const before = await links();
  expect(before).toContain(LATENT);
  await drag(page, on.input("KSampler", "latent_image"), await emptyPlace());
  // A pulled wire is drawn once, from its source to the pointer.
  await page.locator(".pulled").waitFor({ state: "attached" });
  expect(await page.locator(".react-flow__edge-path").count()).toBe(before.length - 1);
  await page.mouse.up();
  expect(await palette().count()).toBe(0);
  expect(await links()).toEqual(before.filter((each) => each !== LATENT));
  await undo();
  expect(await links()).toEqual(before);
  expect(await isUndoable()).toBe(false);
});

test("a wire is moved from one input to another, and what was there is taken off, in one step", async () => {
  const before = await links();
  await pull(on.input("KSampler", "positive"), on.input("KSampler", "negative"));
  const moved = "Prompt.CONDITIONING > KSampler.negative";
  expect(await links()).toEqual(
    [...before.filter((each) => each !== POSITIVE && each !== NEGATIVE), moved].sort(),
  );
  await undo();
  expect(await links()).toEqual(before);
  expect(await isUndoable()).toBe(false);
  // Put back where it was, it adds no step to undo.
  await drag(page, on.input("KSampler", "positive"), await emptyPlace());
  const home = await middleOf(on.input("KSampler", "positive"));
  await page.mouse.move(home.x, home.y, { steps: 4 });
  await page.mouse.up();
  expect(await links()).toEqual(before);
  expect(await isUndoable()).toBe(false);
});

test("Alt pulls another wire from a connected input, and over nothing that is offered nodes", async () => {
  const before = await links();
  const elsewhere = on.title("Load Checkpoint");
  await held("Alt", () => pull(on.input("KSampler", "latent_image"), elsewhere));
  await said("Load Checkpoint has no output of LATENT.").waitFor();
  expect(await links()).toEqual(before);
  await held("Alt", async () => pull(on.input("KSampler", "latent_image"), await emptyPlace()));
  await palette().waitFor();
  await page.keyboard.type("upscale latent by");
  await palette()
    .getByText(/connects from/)
    .waitFor();
  await page.keyboard.press("Enter");
  await on.node("Upscale Latent By").waitFor();
  const made = "LatentUpscaleBy.LATENT > KSampler.latent_image";
  expect(await links()).toEqual([...before.filter((each) => each !== LATENT), made].sort());
});

test("on a node's body the socket that fits best is joined", async () => {
  await open([
    latents(1, 0),
    put(
      2,
      "VAEDecode",
      500,
      [
        { name: "samples", type: "LATENT", link: null },
        { name: "vae", type: "VAE", link: null },
      ],
      [{ name: "IMAGE", type: "IMAGE", links: [] }],
    ),
  ]);
  const label = (text: string) => on.node("VAE Decode").getByText(text, { exact: true });
  const places = [on.title("VAE Decode"), label("samples"), label("vae"), label("IMAGE")];
  for (const place of places) {
    await drag(page, on.output("Empty Latent Image"), place);
    await expect.poll(() => on.node("VAE Decode").locator(".socket.aim").count()).toBe(1);
    await page.mouse.up();
    expect(await palette().count()).toBe(0);
    expect(await links()).toEqual(["EmptyLatentImage.LATENT > VAEDecode.samples"]);
    await undo();
    expect(await links()).toEqual([]);
  }
  // From an input: connects to an output of the node it is dropped on.
  await pull(on.input("VAE Decode", "samples"), on.title("Empty Latent Image"));
  expect(await links()).toEqual(["EmptyLatentImage.LATENT > VAEDecode.samples"]);
});

test("the row that is pointed at is meant, where it fits", async () => {
  const before = await links();
  const label = on.node("KSampler").getByText("negative", { exact: true });
  await pull(on.output("Prompt"), label);
  const moved = "Prompt.CONDITIONING > KSampler.negative";
  expect(await links()).toEqual([...before.filter((each) => each !== NEGATIVE), moved].sort());
});

test("a body that takes none says so; a wire that was taken up for it stays where it was", async () => {
  const before = await links();
  const target = on.title("Load Checkpoint");
  await drag(page, on.input("KSampler", "latent_image"), target);
  await reason("Load Checkpoint has no input that takes LATENT.").waitFor();
  await page.mouse.up();
  await said("Load Checkpoint has no input that takes LATENT.").waitFor();
  expect(await links()).toEqual(before);
  expect(await isUndoable()).toBe(false);
  // Nodes that convert are offered where there are any.
  await drag(page, on.output("KSampler"), on.title("Picture"));
  await page.mouse.up();
  await page.getByRole("button", { name: /Insert VAE Decode between/ }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(8);
  // The wire's own output: only a message, no change.
  const now = await links();
  await drag(page, on.output("VAE Decode").first(), on.title("VAE Decode").first());
  await reason("A node cannot be connected to itself.").waitFor();
  await page.mouse.up();
  expect(await links()).toEqual(now);
  // However many nodes could convert, all can be read and pressed.
  await drag(page, on.output("Load Checkpoint", 2), on.input("KSampler", "latent_image"));
  await page.mouse.up();
  await said("latent_image takes LATENT, not VAE.").waitFor();
  const outside = await page.locator(".notice").evaluate((notice) => {
    const { left, right, bottom } = notice.getBoundingClientRect();
    return [...notice.querySelectorAll("button")].filter((each) => {
      const box = each.getBoundingClientRect();
      return box.left < left || box.right > right || box.bottom > bottom;
    }).length;
  });
  expect(await page.locator(".notice button").count()).toBeGreaterThan(3);
  expect(outside).toBe(0);
});

test("a wire that is taken up and does not fit goes back, and what goes between moves it", async () => {
  const before = await links();
  await drag(page, on.input("VAE Decode", "samples"), on.input("Picture", "images"));
  await reason("images takes IMAGE, not LATENT.").waitFor();
  await page.mouse.up();
  await said("images takes IMAGE, not LATENT.").waitFor();
  expect(await links()).toEqual(before);
  await page.getByRole("button", { name: /Insert VAE Decode between/ }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(8);
  // The wire leads to the new node instead of the old one, whose picture comes from there.
  expect((await links()).filter((each) => each === SAMPLES)).toHaveLength(1);
  await expect
    .poll(() => on.node("VAE Decode").first().locator(".react-flow__handle.source").count())
    .toBe(1);
  await undo();
  expect(await links()).toEqual(before);
});

test("Shift takes all wires of an output up: they go to another output, together", async () => {
  const before = await links();
  await held("Shift", () => pull(on.output("Prompt"), on.output("Negative prompt")));
  const moved = "Negative prompt.CONDITIONING > KSampler.positive";
  expect(await links()).toEqual([...before.filter((each) => each !== POSITIVE), moved].sort());
  // Dropped over an empty place, all of them are removed.
  await held("Shift", async () => pull(on.output("Negative prompt"), await emptyPlace()));
  expect(await palette().count()).toBe(0);
  const rest = before.filter((each) => each !== POSITIVE && each !== NEGATIVE);
  expect(await links()).toEqual(rest);
  await undo();
  expect(await links()).toEqual([...rest, moved, NEGATIVE].sort());
});

test("a wire that is taken up goes onto a field, which is an input then", async () => {
  await open(
    [
      put(1, "PrimitiveInt", 0, [], [{ name: "INT", type: "INT", links: [1] }], {
        widgets_values: [96, "fixed"],
      }),
      latents(2, 400, {
        inputs: [{ name: "width", type: "INT", widget: { name: "width" }, link: 1 }],
      }),
    ],
    [[1, 1, 0, 2, 0, "INT"]],
  );
  const fields = on.node("Empty Latent Image");
  await fields.locator("[data-input=width] .linked").waitFor();
  await pull(on.input("Empty Latent Image", "width"), fields.locator("[data-input=batch_size]"));
  expect(await links()).toEqual(["PrimitiveInt.INT > EmptyLatentImage.batch_size"]);
  await fields.locator("[data-input=batch_size] .linked").waitFor();
  await fields.locator("[data-input=width]").getByRole("spinbutton").waitFor();
  await undo();
  expect(await links()).toEqual(["PrimitiveInt.INT > EmptyLatentImage.width"]);
});

test("Escape gives everything back in the middle of a pull; taps join after it", async () => {
  const before = await links();
  await drag(page, on.input("KSampler", "latent_image"), await emptyPlace());
  await page.locator(".pulled").waitFor({ state: "attached" });
  await page.keyboard.press("Escape");
  expect(await page.locator(".pulled").count()).toBe(0);
  await page.mouse.move(500, 300);
  await page.mouse.up();
  expect(await links()).toEqual(before);
  expect(await isUndoable()).toBe(false);
  const [from, to] = [on.output("Prompt"), on.input("KSampler", "negative")];
  await from.click();
  // Sockets are highlighted for taps as for pulling.
  await expect.poll(() => page.locator(".socket.fit").count()).toBeGreaterThan(1);
  expect(await page.locator(".socket.dim").count()).toBeGreaterThan(5);
  await page.keyboard.press("Escape");
  expect(await page.locator(".socket.fit").count()).toBe(0);
  await to.click();
  await from.click();
  expect(await links()).toEqual(
    [
      ...before.filter((each) => each !== NEGATIVE),
      "Prompt.CONDITIONING > KSampler.negative",
    ].sort(),
  );
  expect(await page.locator(".socket.fit").count()).toBe(0);
});

test("a tap on what does not fit says why; one on nothing ends it", async () => {
  const before = await links();
  await on.output("KSampler").click();
  await on.input("Picture", "images").click();
  await said("images takes IMAGE, not LATENT.").waitFor();
  expect(await page.locator(".socket.fit").count()).toBe(0);
  await on.output("KSampler").click();
  const { x, y } = await emptyPlace();
  await page.mouse.click(x, y);
  expect(await page.locator(".socket.fit").count()).toBe(0);
  expect(await palette().count()).toBe(0);
  expect(await links()).toEqual(before);
});

test("on a wire it goes to what the wire feeds; a wire that was taken up does, too", async () => {
  const start = await middleOf(on.output("Negative prompt"));
  const end = await middleOf(on.input("KSampler", "negative"));
  const before = await links();
  const onLine = await page.locator(".react-flow__edge-path").evaluateAll(
    (paths, { start, end }) => {
      for (const each of paths) {
        const line = each as SVGPathElement;
        const matrix = line.getScreenCTM() ?? undefined;
        const at = (length: number) => line.getPointAtLength(length).matrixTransform(matrix);
        const [a, b] = [at(0), at(line.getTotalLength())];
        if (Math.hypot(a.x - start.x, a.y - start.y) > 8) continue;
        if (Math.hypot(b.x - end.x, b.y - end.y) > 8) continue;
        const { x, y } = at(line.getTotalLength() / 2);
        return { x, y };
      }
      return null;
    },
    { start, end },
  );
  if (onLine === null) throw new Error("the wire is not on the screen");
  await pull(on.input("KSampler", "positive"), onLine);
  const moved = "Prompt.CONDITIONING > KSampler.negative";
  expect(await links()).toEqual(
    [...before.filter((each) => each !== POSITIVE && each !== NEGATIVE), moved].sort(),
  );
  await undo();
  expect(await links()).toEqual(before);
});

test("a wire is taken off by its socket at any zoom", async () => {
  const before = await links();
  for (const wheel of [-240, 560]) {
    const { x, y } = await middleOf(on.input("KSampler", "model"));
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, wheel);
    await page.waitForFunction(() => !document.querySelector(".overview"));
    const at = await middleOf(on.input("KSampler", "model"));
    await pull(at, { x: at.x - 20, y: at.y + 220 });
    expect(await links()).toEqual(before.filter((each) => each !== MODEL));
    await undo();
    expect(await links()).toEqual(before);
  }
});

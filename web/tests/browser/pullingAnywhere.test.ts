/** Wires pulled from special sockets: painted, folded, on boundaries, by finger and pen. */
import type { CDPSession, Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { linksOf, socketsOn } from "./links";
import { drag, goFar, middleOf, type Place, viewOf } from "./pointer";
import { dropFile, runCommand } from "./studio";

let page: Page;
let on: ReturnType<typeof socketsOn>;

eachPage((opened) => {
  page = opened;
  on = socketsOn(opened);
});

const palette = () => page.getByRole("dialog", { name: "Add a node" });
const links = () => linksOf(page);
const undo = () => page.keyboard.press("Control+z");
const LATENT = "EmptyLatentImage.LATENT > KSampler.latent_image";
const POSITIVE = "Prompt.CONDITIONING > KSampler.positive";
const NEGATIVE = "Negative prompt.CONDITIONING > KSampler.negative";

async function pull(from: Locator | Place, to: Locator | Place): Promise<void> {
  await drag(page, from, to);
  await page.mouse.up();
}

async function emptyPlace(): Promise<Place> {
  const box = await page.locator(".canvas").boundingBox();
  return { x: (box?.x ?? 0) + 60, y: (box?.y ?? 0) + 60 };
}

/** The screen positions of sockets once nodes are painted, computed from their positions before. */
async function fromAfar(sockets: Record<string, Locator>): Promise<Record<string, Place>> {
  const near = await viewOf(page);
  const places = await Promise.all(
    Object.entries(sockets).map(async ([name, socket]) => {
      const { x, y } = await middleOf(socket);
      const [left, top] = [near.onScreen({ x: 0, y: 0 }).x, near.onScreen({ x: 0, y: 0 }).y];
      return [name, { x: (x - left) / near.scale, y: (y - top) / near.scale }] as const;
    }),
  );
  await goFar(page);
  const far = await viewOf(page);
  return Object.fromEntries(places.map(([name, at]) => [name, far.onScreen(at)]));
}

test("from afar, painted sockets light, are pulled from, and give their wires up", async () => {
  const before = await links();
  const at = await fromAfar({
    prompt: on.output("Prompt"),
    sampler: on.title("KSampler"),
    negative: on.input("KSampler", "negative"),
    latent: on.input("KSampler", "latent_image"),
    decoder: on.title("VAE Decode"),
  });
  const { prompt, sampler, negative, latent, decoder } = at;
  if (!(prompt && sampler && negative && latent && decoder)) throw new Error("not painted");
  await drag(page, prompt, negative);
  await page.locator(".pull-sockets").waitFor({ state: "attached" });
  await page.locator(".reason").getByText("connects to KSampler · negative").waitFor();
  await page.mouse.up();
  const moved = "Prompt.CONDITIONING > KSampler.negative";
  expect(await links()).toEqual([...before.filter((each) => each !== NEGATIVE), moved].sort());
  await undo();
  await pull(latent, await emptyPlace());
  expect(await palette().count()).toBe(0);
  const without = before.filter((each) => each !== LATENT);
  expect(await links()).toEqual(without);
  // Connected again by a drop on the body of its node.
  await undo();
  await pull(latent, decoder);
  expect(await links()).toContain("EmptyLatentImage.LATENT > VAEDecode.samples");
  await undo();
  expect(await links()).toEqual(before);
  // By taps too; and the middle of a node can still be dragged.
  await page.mouse.click(prompt.x, prompt.y);
  await page.locator(".pull-sockets").waitFor({ state: "attached" });
  await page.mouse.click(negative.x, negative.y);
  expect(await links()).toEqual([...before.filter((each) => each !== NEGATIVE), moved].sort());
  await undo();
  await drag(page, sampler, { x: sampler.x + 40, y: sampler.y + 60 });
  expect(await page.locator(".pulled").count()).toBe(0);
  await page.mouse.up();
  const title = () => page.getByRole("button", { name: "Undo" }).getAttribute("data-tip");
  await expect.poll(title).toContain("Move");
});

test("on the boundary of a subgraph a wire makes a port, changes ports, and is taken off", async () => {
  await on.title("KSampler").click();
  await page.keyboard.press("Control+Shift+E");
  const instance = on.node("Subgraph");
  await instance.waitFor();
  await on.title("Subgraph").dblclick();
  await on.node("Inputs").waitFor();
  const edges = () => page.locator(".react-flow__edge").count();
  const ports = () => on.node("Inputs").locator(".socket-label").allTextContents();
  // Wires are drawn after the nodes; three are of the fields that are shown outside at once.
  const before = 8;
  await expect.poll(edges).toBe(before);
  const names = await ports();
  // A field pulled onto the body of the inputs node makes a new port.
  const denoise = on.node("KSampler").locator("[data-input=denoise] .socket");
  await pull(denoise, on.node("Inputs").locator(".card-title"));
  await expect.poll(ports).toEqual([...names.slice(0, -1), "denoise", "New port"]);
  await expect.poll(edges).toBe(before + 1);
  await undo();
  await expect.poll(ports).toEqual(names);
  // A detached wire can be moved to another port, or removed.
  const negative = on.input("KSampler", "negative");
  await drag(page, negative, await emptyPlace());
  await expect.poll(() => page.locator(".socket.fit").count()).toBeGreaterThan(1);
  await page.mouse.up();
  await expect.poll(edges).toBe(before - 1);
  await undo();
  await pull(on.input("KSampler", "positive"), negative);
  await expect.poll(edges).toBe(before - 1);
  await undo();
  await expect.poll(edges).toBe(before);
  // The result gets a new port when dropped on the body of the outputs node.
  const outs = () => on.node("Outputs").locator(".socket-label").allTextContents();
  const out = await outs();
  await pull(on.output("KSampler"), on.node("Outputs").locator(".card-title"));
  await expect.poll(outs).toEqual([...out.slice(0, -1), expect.any(String), "New port"]);
});

const put = (id: number, type: string, pos: number[], more: object) => ({
  id,
  type,
  pos,
  size: [240, 140],
  mode: 0,
  inputs: [],
  outputs: [],
  ...more,
});
const latent = (id: number, pos: number[], more: object = {}) =>
  put(id, "EmptyLatentImage", pos, {
    outputs: [{ name: "LATENT", type: "LATENT", links: [] }],
    widgets_values: [64, 64, 1],
    ...more,
  });
const decoder = (id: number, pos: number[], more: object = {}) =>
  put(id, "VAEDecode", pos, {
    inputs: [
      { name: "samples", type: "LATENT", link: null },
      { name: "vae", type: "VAE", link: null },
    ],
    outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }],
    ...more,
  });

async function open(nodes: readonly object[]): Promise<void> {
  const whole = {
    version: 0.4,
    last_node_id: 9,
    last_link_id: 9,
    groups: [],
    nodes,
    links: [],
  };
  const content = Buffer.from(JSON.stringify(whole));
  await dropFile(page, { name: "pulled.json", type: "application/json", content });
  await page.getByRole("tab", { name: "pulled" }).waitFor();
}

test("reroute nodes are joined on both sides, and moved off again", async () => {
  await open([
    latent(1, [0, 0]),
    put(2, "Reroute", [400, 20], {
      size: [75, 26],
      title: "knot",
      inputs: [{ name: "", type: "*", link: null }],
      outputs: [{ name: "", type: "*", links: [] }],
    }),
    decoder(3, [600, 0]),
  ]);
  const knot = on.node("knot");
  await pull(on.output("Empty Latent Image"), knot.locator(".pill"));
  await pull(knot.locator(".react-flow__handle.source"), on.title("VAE Decode"));
  const both = ["EmptyLatentImage.LATENT > knot.", "knot. > VAEDecode.samples"];
  expect(await links()).toEqual(both);
  await pull(knot.locator(".react-flow__handle.target"), await emptyPlace());
  expect(await links()).toEqual(both.slice(1));
});

test("a collapsed node gives the output, and takes on the input, that fits", async () => {
  await page.locator(".react-flow__pane").click({ position: { x: 60, y: 60 } });
  await on.title("Load Checkpoint").click();
  await page.keyboard.press("Alt+c");
  await on.title("KSampler").click();
  await page.keyboard.press("Alt+c");
  const before = await links();
  const VAE = "CheckpointLoaderSimple.VAE > VAEDecode.vae";
  const CLIP = "CheckpointLoaderSimple.CLIP > Prompt.clip";
  for (const [wire, input] of [
    [VAE, on.input("VAE Decode", "vae")],
    [CLIP, on.input("Prompt", "clip")],
  ] as const) {
    await pull(input, await emptyPlace());
    expect(await links()).toEqual(before.filter((each) => each !== wire));
    // All its outputs overlap: the one that fits is used.
    await pull(on.output("Load Checkpoint"), input);
    expect(await links()).toEqual(before);
  }
  const sampler = on.input("KSampler", "latent_image");
  await pull(sampler, await emptyPlace());
  expect(await links()).toHaveLength(before.length - 1);
  await undo();
  await pull(on.output("Prompt"), on.node("KSampler"));
  // They are connected already, and another wire is not replaced without being pointed at.
  expect(await links()).toEqual(before);
  await page.locator(".notice").getByText("These are connected already.").waitFor();
});

test("a portal's wire is given up by its socket, and stays a portal where it goes", async () => {
  await on.title("KSampler").click();
  const before = await links();
  await page.locator(".canvas").focus();
  await on.title("Prompt").click();
  await page.keyboard.press("Shift+c");
  await page.keyboard.press("Shift+c");
  await runCommand(page, "Turn the selected wires into portals");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Portal .*from its source/ }).waitFor();
  const made = "Prompt.CONDITIONING > KSampler.negative";
  await pull(on.input("KSampler", "positive"), on.input("KSampler", "negative"));
  const now = await links();
  expect(now).toEqual(
    [...before.filter((each) => each !== POSITIVE && each !== NEGATIVE), made].sort(),
  );
  expect(await page.getByRole("button", { name: /^Portal .*from its source/ }).count()).toBe(1);
});

test("a folded frame's rows give their wires up and take others", async () => {
  await on.title("Prompt").click();
  await on.title("Negative prompt").click({ modifiers: ["Shift"] });
  await page.keyboard.press("Control+g");
  const before = await links();
  await page.getByRole("button", { name: "Fold the group", exact: true }).click();
  const fold = page.locator(".fold");
  await fold.waitFor();
  const row = fold.locator(".react-flow__handle.target").first();
  await pull(row, await emptyPlace());
  expect(await links()).toHaveLength(before.length - 1);
  await undo();
  // The fold's first output is connected where its second one was.
  await pull(fold.locator(".react-flow__handle.source").first(), on.input("KSampler", "negative"));
  const moved = "Prompt.CONDITIONING > KSampler.negative";
  expect(await links()).toEqual([...before.filter((each) => each !== NEGATIVE), moved].sort());
});

test("the view moves while a wire is pulled to the edge of the canvas", async () => {
  await open([latent(1, [0, 0]), decoder(2, [1500, 0])]);
  const source = on.output("Empty Latent Image");
  const { x, y } = await middleOf(source);
  await page.mouse.move(x, y);
  await expect
    .poll(async () => {
      await page.mouse.wheel(0, -120);
      return on.node("VAE Decode").count();
    })
    .toBe(0);
  const canvas = await page.locator(".canvas").boundingBox();
  if (canvas === null) throw new Error("there is no canvas");
  const edge = (side: number) => ({ x: canvas.x + side, y: canvas.y + 200 });
  const begun = (await viewOf(page)).onScreen({ x: 0, y: 0 }).x;
  await drag(page, source, edge(canvas.width - 6));
  await expect
    .poll(async () => (await viewOf(page)).onScreen({ x: 0, y: 0 }).x)
    .toBeLessThan(begun);
  // On a slow machine the view stops late: if it has passed the target, it is moved back at the
  // other edge.
  for (;;) {
    // Away from the edge the view does not move.
    await page.mouse.move(canvas.x + canvas.width / 2, canvas.y + 80);
    await movedIn(2);
    const middle = (await viewOf(page)).onScreen({ x: 1620, y: 0 }).x - canvas.x;
    const isLeft = middle < 250;
    if (!isLeft && middle < canvas.width - 200) break;
    const before = (await viewOf(page)).onScreen({ x: 0, y: 0 }).x;
    const { x, y } = edge(isLeft ? 6 : canvas.width - 6);
    await page.mouse.move(x, y);
    await expect
      .poll(async () => Math.sign((await viewOf(page)).onScreen({ x: 0, y: 0 }).x - before))
      .toBe(isLeft ? 1 : -1);
  }
  await on.node("VAE Decode").waitFor();
  const at = await middleOf(on.title("VAE Decode"));
  await page.mouse.move(at.x - 40, at.y);
  await expect.poll(() => page.locator(".reason").textContent()).toContain("samples");
  await page.mouse.up();
  expect(await links()).toEqual(["EmptyLatentImage.LATENT > VAEDecode.samples"]);
});

/** The distance that the view moves within this number of frames. */
function movedIn(frames: number): Promise<number> {
  return page.locator(".react-flow__viewport").evaluate(async (element, count) => {
    const left = () => new DOMMatrix(getComputedStyle(element).transform).e;
    const begun = left();
    for (let each = 0; each < count; each += 1) {
      await new Promise((done) => requestAnimationFrame(done));
    }
    return Math.abs(left() - begun);
  }, frames);
}

test("the view takes one step for each frame at the edge, and rests over other parts", async () => {
  await open([latent(1, [0, 0])]);
  const canvas = await page.locator(".canvas").boundingBox();
  if (canvas === null) throw new Error("there is no canvas");
  const edge = { x: canvas.x + canvas.width - 4, y: canvas.y + 200 };
  await drag(page, on.output("Empty Latent Image"), edge);
  const moved = await movedIn(30);
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThanOrEqual(31 * 14);
  await page.mouse.move(edge.x + 200, edge.y);
  await movedIn(2);
  expect(await movedIn(10)).toBe(0);
  await page.mouse.up();
  expect(await palette().count()).toBe(0);
});

test("a pen pulls as a mouse does", async () => {
  const before = await links();
  const session = await page.context().newCDPSession(page);
  const pen = (type: string, { x, y }: Place, buttons = 1) =>
    session.send("Input.dispatchMouseEvent", {
      type: type as "mousePressed",
      x,
      y,
      button: type === "mouseMoved" && buttons === 0 ? "none" : "left",
      buttons,
      clickCount: 1,
      pointerType: "pen",
    });
  const [from, to] = [await middleOf(on.input("KSampler", "latent_image")), await emptyPlace()];
  await pen("mouseMoved", from, 0);
  await pen("mousePressed", from);
  await pen("mouseMoved", { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 });
  await pen("mouseMoved", to);
  await page.locator(".pulled").waitFor({ state: "attached" });
  await pen("mouseReleased", to, 0);
  expect(await links()).toEqual(before.filter((each) => each !== LATENT));
});

test("fingers pull wires, take them off, and rest without harm", async () => {
  const session: CDPSession = await page.context().newCDPSession(page);
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...at: Place[]) =>
    session.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: at.map(({ x, y }, id) => ({ x, y, id })),
    });
  const swipe = async (from: Place, to: Place) => {
    await touch("touchStart", from);
    for (let step = 1; step <= 5; step += 1) {
      await touch("touchMove", {
        x: from.x + ((to.x - from.x) * step) / 5,
        y: from.y + ((to.y - from.y) * step) / 5,
      });
    }
    await touch("touchEnd");
  };
  const before = await links();
  const view = async () => (await viewOf(page)).onScreen({ x: 0, y: 0 });
  const still = await view();
  const input = await middleOf(on.input("KSampler", "latent_image"));
  await swipe(input, await emptyPlace());
  expect(await links()).toEqual(before.filter((each) => each !== LATENT));
  await swipe(
    await middleOf(on.output("Empty Latent Image")),
    await middleOf(on.title("KSampler")),
  );
  expect(await links()).toEqual(before);
  expect(await view()).toEqual(still);
  // When the system cancels a touch, everything is restored.
  await touch("touchStart", input);
  await touch("touchMove", { x: input.x - 60, y: input.y + 60 });
  await touch("touchMove", { x: input.x - 120, y: input.y + 120 });
  await page.locator(".pulled").waitFor({ state: "attached" });
  await session.send("Input.dispatchTouchEvent", { type: "touchCancel", touchPoints: [] });
  await page.locator(".pulled").waitFor({ state: "detached" });
  expect(await links()).toEqual(before);
});

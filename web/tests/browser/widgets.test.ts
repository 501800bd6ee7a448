/** Every kind of field, with real pointer and keyboard events. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { addToCatalog, EVERY_KIND, PLAYED } from "./everyKind";
import { middleOf } from "./pointer";
import { PIXEL, type Put, tone, workflowOf } from "./samples";
import { savedFrom } from "./saved";
import { dropFile, type Studio } from "./studio";

let studio: Studio;
let page: Page;

eachPage((opened, on) => {
  page = opened;
  studio = on;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });

/** Opens a workflow of these nodes in a row. */
async function openNodes(...nodes: Put[]): Promise<void> {
  await dropFile(page, {
    name: "fields.json",
    type: "application/json",
    content: Buffer.from(JSON.stringify(workflowOf(nodes))),
  });
  await page.getByRole("tab", { name: "fields", selected: true }).last().waitFor();
  await page.locator(".card").first().waitFor();
}

/** Opens the node that has a field of every kind. */
async function openEveryKind(): Promise<Locator> {
  // The node is tall, and no part of the window may cover its fields.
  await page.setViewportSize({ width: 1600, height: 1500 });
  await addToCatalog(page, { EveryKind: EVERY_KIND, Sound: PLAYED });
  await page.reload();
  await page.locator(".card").first().waitFor();
  // With the other nodes, the canvas does not zoom in so far that the node exceeds the window.
  await openNodes(
    { type: "EveryKind" },
    { type: "EmptyLatentImage" },
    { type: "EmptyLatentImage" },
  );
  await node("Every kind").waitFor();
  return node("Every kind");
}

async function pull(from: { x: number; y: number }, to: { x: number; y: number }): Promise<void> {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 4 });
  await page.mouse.move(to.x, to.y, { steps: 4 });
  await page.mouse.up();
}

const saved = async () => (await savedFrom<{ nodes: Record<string, unknown>[] }>(page)).nodes;

const text = (field: Locator) => field.getAttribute("aria-valuetext");

test("numbers: dragged, finely with Shift, by the wheel and by keys, typed as sums", async () => {
  const card = await openEveryKind();
  const plain = card.getByRole("spinbutton", { name: "plain", exact: true });
  const at = await middleOf(plain);
  await pull(at, { x: at.x + 60, y: at.y });
  await expect.poll(async () => Number(await text(plain))).toBeGreaterThan(8);
  const dragged = Number(await text(plain));
  await page.keyboard.down("Shift");
  await pull(at, { x: at.x + 60, y: at.y });
  await page.keyboard.up("Shift");
  await expect.poll(async () => Number(await text(plain))).toBeGreaterThan(dragged);
  expect(Number(await text(plain)) - dragged).toBeLessThan(dragged - 4);

  await plain.click();
  const typing = card.getByRole("textbox", { name: "plain", exact: true });
  await typing.fill("200");
  await card.getByText("At most 100").waitFor();
  await typing.fill("(2+3)*4");
  await typing.press("Enter");
  await expect.poll(() => text(plain)).toBe("20");

  await plain.focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Control+ArrowUp");
  await expect.poll(() => text(plain)).toBe("31");
  const zoom = await page.locator(".zoom, .zoom-bar").first().textContent();
  await page.mouse.move(at.x, at.y);
  await page.mouse.wheel(0, -100);
  await expect.poll(() => text(plain)).toBe("32");
  expect(await page.locator(".zoom, .zoom-bar").first().textContent()).toBe(zoom);

  await page.mouse.down();
  await page.mouse.move(at.x + 60, at.y, { steps: 6 });
  await expect.poll(async () => Number(await text(plain))).toBeGreaterThan(38);
  await page.keyboard.press("Escape");
  await expect.poll(() => text(plain)).toBe("32");
  await page.mouse.move(at.x + 90, at.y, { steps: 3 });
  await page.mouse.up();
  expect(await text(plain)).toBe("32");
});

test("bars and knobs: pressed where the value should be, turned, stepped by keys", async () => {
  const card = await openEveryKind();
  const bar = card.getByRole("slider", { name: "slid" });
  const box = await bar.boundingBox();
  if (box === null) throw new Error("it is not on the screen");
  await page.mouse.click(box.x + box.width * 0.8, box.y + box.height / 2);
  await expect.poll(() => text(bar)).toBe("0.80");
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => text(bar)).toBe("0.75");

  const knob = card.getByRole("spinbutton", { name: "turned" });
  const middle = await middleOf(knob);
  await pull(middle, { x: middle.x, y: middle.y - 40 });
  await expect.poll(async () => Number(await text(knob))).toBeGreaterThan(0.4);
});

test("switches say their words; colours are typed and picked", async () => {
  const card = await openEveryKind();
  const upright = card.getByRole("switch", { name: "upright" });
  await card.getByText("standing").waitFor();
  await upright.click();
  await card.getByText("lying").waitFor();
  const hex = card.getByRole("textbox", { name: "tint, as #rrggbb" });
  await hex.fill("#FA0");
  await hex.press("Enter");
  await expect.poll(() => card.locator("input[type=color]").inputValue()).toBe("#ffaa00");
  await card.locator("input[type=color]").fill("#102030");
  await expect.poll(() => hex.inputValue()).toBe("#102030");
});

test("a list lies in folders, is searched, and several are ticked", async () => {
  const card = await openEveryKind();
  await card.getByRole("button", { name: /^file / }).click();
  const list = page.getByRole("dialog", { name: "file" });
  await list.getByRole("option", { name: /^open folder a/ }).waitFor();
  await list.getByRole("option", { name: /^folder b/ }).click();
  await list.getByRole("option", { name: "three.pt" }).click();
  await card.getByRole("button", { name: "file b/three.pt" }).waitFor();
  await card.getByRole("button", { name: /^file / }).press("ArrowDown");
  await card.getByRole("button", { name: "file four.pt" }).waitFor();

  await card.getByRole("button", { name: /^several / }).click();
  const ticks = page.getByRole("dialog", { name: "several" });
  await ticks.getByRole("option", { name: "blue" }).click();
  await ticks.getByRole("option", { name: "red" }).click();
  await page.keyboard.press("Escape");
  await card.getByRole("button", { name: "several blue" }).waitFor();
  const [every] = await saved();
  expect(JSON.stringify(every)).toContain('["blue"]');
});

test("a file that is not here stays, is named, and what is like it is offered", async () => {
  await openNodes({ type: "CheckpointLoaderSimple", values: ["old/calotype-demo-v2.ckpt"] });
  const card = node("Load Checkpoint");
  const field = card.getByRole("button", {
    name: /ckpt_name missing: old\/calotype-demo-v2.ckpt/,
  });
  await field.click();
  await page.getByText("old/calotype-demo-v2.ckpt is not on this server.").waitFor();
  await page.getByRole("button", { name: "calotype-demo.safetensors" }).click();
  await card.getByRole("button", { name: "ckpt_name calotype-demo.safetensors" }).waitFor();
});

test("a prompt: weights by keys, completion, brackets that belong together, its own undo", async () => {
  await page.request.post(`${studio.address}/api/userdata/tags%2Fmine.csv?overwrite=true`, {
    data: 'long_hair,0,4000,"hair_long"\nlong_neck_(animal),0,20,\n',
    headers: { "Content-Type": "text/plain" },
  });
  const prompt = node("Prompt").getByRole("textbox");
  await prompt.fill("a red cat");
  await prompt.press("Home");
  for (let step = 0; step < 3; step += 1) await prompt.press("ArrowRight");
  await prompt.press("Control+ArrowUp");
  await prompt.press("Control+ArrowUp");
  await expect.poll(() => prompt.inputValue()).toBe("a (red:1.2) cat");
  await prompt.press("Control+ArrowDown");
  await prompt.press("Control+ArrowDown");
  await expect.poll(() => prompt.inputValue()).toBe("a red cat");
  await prompt.press("Control+z");
  await expect.poll(() => prompt.inputValue()).toBe("a (red:1.1) cat");

  await prompt.press("End");
  await prompt.pressSequentially(", long_n");
  await page.getByRole("option", { name: /long neck \(animal\)/ }).waitFor();
  await prompt.press("Tab");
  await expect.poll(() => prompt.inputValue()).toBe("a (red:1.1) cat, long neck \\(animal\\)");
  await prompt.pressSequentially(", hair_l");
  await page.getByRole("option", { name: /long hair/ }).click();
  await expect.poll(() => prompt.inputValue()).toMatch(/, long hair$/);
  await prompt.pressSequentially(" (");
  await node("Prompt").locator("mark.lone").waitFor();
});

test("a seed rolls before the run, is the one that was used, and can be kept", async () => {
  const sampler = node("KSampler");
  const seed = sampler.getByRole("spinbutton", { name: "seed" });
  await sampler.getByRole("button", { name: /Before each run/ }).click();
  await page.getByRole("menuitemradio", { name: "Increment" }).click();
  await seed.click();
  await sampler.getByRole("textbox", { name: "seed" }).fill("18446744073709551000");
  await page.keyboard.press("Enter");
  for (const name of ["width", "height"]) {
    await node("Empty Latent Image").getByRole("spinbutton", { name }).click();
    await node("Empty Latent Image").getByRole("textbox", { name }).fill("64");
    await page.keyboard.press("Enter");
  }
  await sampler.getByRole("spinbutton", { name: "steps" }).click();
  await sampler.getByRole("textbox", { name: "steps" }).fill("1");
  await page.keyboard.press("Enter");
  const submitted = page.waitForRequest((request) => /\/prompt$/.test(request.url()));
  await page.keyboard.press("Control+Enter");
  expect((await submitted).postData()).toContain('"seed":18446744073709551001');
  await expect.poll(() => text(seed)).toBe("18446744073709551001");

  await sampler.getByRole("button", { name: /Before each run/ }).click();
  await page.getByRole("menuitem", { name: "Randomize now" }).click();
  await expect.poll(() => text(seed)).not.toBe("18446744073709551001");
  await sampler.getByRole("button", { name: /Before each run/ }).click();
  await page.getByRole("menuitem", { name: /Fix at 18446744073709551001/ }).click();
  await expect.poll(() => text(seed)).toBe("18446744073709551001");
  await sampler.getByRole("button", { name: "Before each run: Fixed" }).waitFor();
});

test("curves: points by pointer and by keyboard; boxes drawn and moved", async () => {
  const card = await openEveryKind();
  const graph = await card.locator(".curve-graph").boundingBox();
  if (graph === null) throw new Error("it is not on the screen");
  await pull(
    { x: graph.x + graph.width * 0.5, y: graph.y + graph.height * 0.5 },
    { x: graph.x + graph.width * 0.4, y: graph.y + graph.height * 0.2 },
  );
  const point = card.getByRole("button", { name: /^tone, point 2: 0.40, 0.80/ });
  await point.focus();
  await page.keyboard.press("ArrowDown");
  await card.getByRole("button", { name: /^tone, point 2: 0.40, 0.79/ }).waitFor();
  await page.keyboard.press("Delete");
  await expect.poll(() => card.getByRole("button", { name: /^tone, point/ }).count()).toBe(2);

  await card.getByRole("button", { name: /^region / }).click();
  const box = page.getByRole("button", { name: /^region 1:/ });
  await box.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Alt+ArrowDown");
  await page.keyboard.press("Escape");
  await card.getByRole("button", { name: "region 256 × 136 at 72, 64" }).waitFor();
});

test("a choice brings its own fields, on the node and in the file", async () => {
  const card = await openEveryKind();
  await card.getByRole("spinbutton", { name: "by" }).waitFor();
  await card.getByRole("button", { name: /^method / }).click();
  await page.getByRole("option", { name: "size" }).click();
  await card.getByRole("spinbutton", { name: "height" }).waitFor();
  expect(await card.getByRole("spinbutton", { name: "by" }).count()).toBe(0);
  const [every] = await saved();
  expect(JSON.stringify(every)).toContain('"size",512,384,1]');
});

test("a picture is brought by button, by drop and by paste, and shown with its size", async () => {
  await openNodes({ type: "LoadImage" });
  const card = node("Load Image");
  const chooser = page.waitForEvent("filechooser");
  await card.getByRole("button", { name: "Upload an image" }).click();
  await (await chooser).setFiles({ name: "first.png", mimeType: "image/png", buffer: PIXEL });
  await card.getByRole("button", { name: "image first.png" }).waitFor();
  await card.getByText("1 × 1").waitFor();

  const give = async (event: string, name: string, target: Locator) => {
    const data = await page.evaluateHandle(
      ({ bytes, called }) => {
        const made = new DataTransfer();
        made.items.add(new File([new Uint8Array(bytes)], called, { type: "image/png" }));
        return made;
      },
      { bytes: [...PIXEL, 0], called: name },
    );
    if (event === "drop") await target.dispatchEvent("drop", { dataTransfer: data });
    else {
      await page.evaluate(
        (clipboardData) =>
          document.body.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true }),
          ),
        data,
      );
    }
  };
  await give("drop", "second.png", card);
  await card.getByRole("button", { name: "image second.png" }).waitFor();
  expect(await page.locator(".card").count()).toBe(1);

  await card.locator(".card-title").click();
  await give("paste", "third.png", page.locator("body"));
  await card.getByRole("button", { name: "image third.png" }).waitFor();

  await page.route("**/api/upload/image", (route) => route.fulfill({ status: 413, body: "{}" }));
  await give("drop", "huge.png", card);
  await card.getByRole("alert").getByText("huge.png is larger than this server takes").waitFor();
  await card.getByRole("button", { name: "image third.png" }).waitFor();
});

test("a picture that was made here is chosen where results lie", async () => {
  await page.request.post(`${studio.address}/api/upload/image`, {
    multipart: {
      image: { name: "made.png", mimeType: "image/png", buffer: PIXEL },
      type: "output",
    },
  });
  await openNodes({ type: "LoadImage" }, { type: "LoadImageOutput" });
  const card = node("Load Image");
  await card.getByRole("button", { name: "Other sources" }).click();
  await page.getByRole("menuitem", { name: "From the results" }).click();
  await page.getByRole("option", { name: "made.png [output]" }).click();
  await card.getByRole("button", { name: "image made.png [output]", exact: true }).waitFor();
  await card.getByText("1 × 1").waitFor();

  const other = page.getByRole("group", { name: /Load Image \(from/ });
  await other.getByRole("button", { name: /^image / }).click();
  await page
    .getByRole("option", { name: /made\.png/ })
    .first()
    .click();
  await other.getByText("1 × 1").waitFor();
});

test("a field becomes an input fed by a node, shows what it is fed, and a field again", async () => {
  const sampler = node("KSampler");
  await sampler.getByRole("spinbutton", { name: "cfg" }).click({ button: "right" });
  await page.getByRole("menuitem", { name: /^Convert to an input/ }).click();
  await sampler.locator("[data-input=cfg] .linked").getByText("4").waitFor();
  await sampler.locator("[data-input=cfg] .linked").click({ button: "right" });
  await page.getByRole("menuitem", { name: /show the field/ }).click();
  await expect.poll(() => text(sampler.getByRole("spinbutton", { name: "cfg" }))).toBe("4.0");
});

test("inputs multiply as they are linked; a wire let go on a field feeds that field", async () => {
  const made = { outputs: [{ name: "IMAGE", type: "IMAGE", links: [] }] };
  await openNodes(
    { type: "EmptyImage", ...made },
    { type: "BatchImagesNode" },
    { type: "PrimitiveInt" },
  );
  const batch = node("Batch Images");
  const sockets = batch.locator(".react-flow__handle.target");
  await expect.poll(() => sockets.count()).toBe(1);
  const image = node("EmptyImage").locator(".react-flow__handle.source").first();
  for (const index of [0, 1]) {
    await pull(await middleOf(image), await middleOf(sockets.nth(index)));
    await expect.poll(() => page.locator(".react-flow__edge").count()).toBe(index + 1);
    await expect.poll(() => sockets.count()).toBe(index + 2);
  }

  const whole = node("Int").locator(".react-flow__handle.source").first();
  await pull(
    await middleOf(whole),
    await middleOf(node("EmptyImage").getByRole("spinbutton", { name: "height" })),
  );
  await node("EmptyImage").locator("[data-input=height] .linked").waitFor();
});

test("a sound is played, with its length; a primitive shows the field of what it feeds", async () => {
  await openEveryKind();
  await page.request.post(`${studio.address}/api/upload/image`, {
    multipart: { image: { name: "tone.wav", mimeType: "audio/wav", buffer: tone() } },
  });
  await openNodes({ type: "Sound", values: ["tone.wav", null, null] });
  await node("Sound").locator("audio").waitFor();
  await node("Sound").getByText("0:00.5").waitFor();

  await openNodes({ type: "PrimitiveNode", values: [12, "fixed"] });
  const field = node("Primitive").getByRole("spinbutton", { name: "value" });
  await field.focus();
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => text(field)).toBe("13");
});

test("the form marks what was changed, and takes it back", async () => {
  const sampler = node("KSampler");
  await sampler.locator(".card-title").click();
  const form = page.getByRole("complementary", { name: "Inspector" });
  await form
    .getByRole("button", { name: "Reset denoise to its default" })
    .waitFor({ state: "detached" });
  await form.getByRole("spinbutton", { name: "denoise" }).click();
  await form.getByRole("textbox", { name: "denoise" }).fill("0.5");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(sampler.getByRole("spinbutton", { name: "denoise" }))).toBe("0.50");
  await form.getByRole("button", { name: "Reset denoise to its default" }).click();
  await expect.poll(() => text(sampler.getByRole("spinbutton", { name: "denoise" }))).toBe("1.00");
});

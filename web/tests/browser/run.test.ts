/**
 * Before a run: its plan. During it: progress, and interrupting. After it: what failed, and why.
 */
import { readFileSync } from "node:fs";
import type { Page, WebSocketRoute } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { dropFile, SEVEN_NODES, type Studio } from "./studio";

const RUN = 110_000;

let studio: Studio;
let page: Page;

eachPage((opened, on) => {
  page = opened;
  studio = on;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const bar = () => page.getByRole("region", { name: "Run" });
const status = () => bar().locator(".plan");
const problems = () => page.getByRole("tab", { name: /^Problems/ });

async function setNumber(title: string, name: string, value: string): Promise<void> {
  await node(title).getByRole("spinbutton", { name, exact: true }).click();
  const typing = node(title).getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

/** A small picture with its own seed, so that no result cached by other tests applies. */
async function small(seed: number, steps = 2, size = 64): Promise<void> {
  await setNumber("Empty Latent Image", "width", String(size));
  await setNumber("Empty Latent Image", "height", String(size));
  await setNumber("KSampler", "steps", String(steps));
  await setNumber("KSampler", "seed", String(seed));
}

async function says(text: RegExp | string, timeout = 20_000): Promise<void> {
  await status().getByText(text).first().waitFor({ timeout });
}

async function open(workflow: unknown, name = "dropped"): Promise<void> {
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: `${name}.json`, type: "application/json", content });
  await page.getByRole("tab", { name }).waitFor();
}

/** The first workflow with one value of one node changed. */
function changed(type: string, at: number, value: unknown): unknown {
  const workflow = JSON.parse(readFileSync(SEVEN_NODES, "utf8")) as {
    nodes: { type: string; widgets_values: unknown[] }[];
  };
  const found = workflow.nodes.find((each) => each.type === type);
  if (found === undefined) throw new Error(`There is no ${type}.`);
  found.widgets_values[at] = value;
  return workflow;
}

test("the bar tells what a run will do: all, nothing, and what hangs on one prompt", async () => {
  await small(101);
  await says("7 nodes will run");
  await page.keyboard.press("Control+Enter");
  await node("Picture").locator(".picture img").waitFor({ timeout: RUN });
  await says("Nothing has changed: all 7 nodes are cached");

  await node("Prompt").getByRole("textbox", { name: "text" }).fill("a red fox in the snow");
  await says("4 of 7 nodes will run, 3 cached");
  await says(/about .+ · .+ [GM]B/);
  await node("Prompt").getByRole("img", { name: "will run" }).waitFor();
  await node("Negative prompt").getByRole("img", { name: "cached" }).waitFor();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByText("will run").waitFor();
  await inspector.getByText(/last run/).waitFor();
});

test("a run up to a node shows what comes out of it, on that node", async () => {
  await small(102);
  await node("VAE Decode").locator(".card-title").click();
  // The menu shows the plan of that run.
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page
    .getByRole("menu", { name: "More ways to run" })
    .getByText(/^(6 nodes|\d of 6 nodes) will run/)
    .waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+Enter");
  await node("VAE Decode").locator(".picture img").waitFor({ timeout: RUN });
  expect(await node("Picture").locator(".picture img").count()).toBe(0);
  await says("1 of 7 nodes will run, 6 cached");
});

test("a long sentence about what is wrong stays within the bar", async () => {
  const types = ["First", "Second", "Third"].map((each) => `${each}NodeOfAPluginThatIsNotHere`);
  await open({
    nodes: types.map((type, at) => ({ id: at + 1, type, pos: [300 * at, 0], size: [240, 80] })),
    links: [],
    version: 0.4,
  });
  const bar = page.getByRole("region", { name: "Run" });
  const sentence = bar.getByRole("button", { name: /NodeOfAPluginThatIsNotHere/ });
  await sentence.waitFor();
  const [inner, outer] = [await sentence.boundingBox(), await bar.boundingBox()];
  if (inner === null || outer === null) throw new Error("not on the page");
  expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
  expect(inner.height).toBeLessThanOrEqual(outer.height);
  expect(await sentence.getAttribute("title")).toContain("ThirdNode");
});

test("what is gone to is shown no nearer than it reads well", async () => {
  await node("VAE Decode").locator(".card-title").click();
  await page.keyboard.press(".");
  await expect
    .poll(() =>
      page
        .getByRole("button", { name: "Zoom to 100%" })
        .or(page.locator(".percent"))
        .first()
        .textContent(),
    )
    .toMatch(/^100/);
});

test("a number that is being typed is taken by the keys that run", async () => {
  await small(105);
  await node("KSampler").getByRole("spinbutton", { name: "cfg", exact: true }).click();
  await node("KSampler").getByRole("textbox", { name: "cfg", exact: true }).fill("2");
  const sent = page.waitForRequest((request) => request.url().endsWith("/prompt"));
  await page.keyboard.press("Control+Enter");
  expect((await sent).postData()).toMatch(/"cfg": ?2[,.}]/);
});

test("a long run tells how far it is, and a stop ends it", async () => {
  await small(103, 9000, 256);
  await page.keyboard.press("Control+Enter");
  await says(/of 9000/, RUN);
  await expect.poll(() => page.title()).toMatch(/^\d+\s?% · /);
  await page
    .getByRole("log")
    .getByText(/^Running, \d+\s?%$/)
    .first()
    .waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page
    .getByRole("button", { name: "Stop", exact: true })
    .waitFor({ state: "detached", timeout: 60_000 });
  await says(/of 7 nodes will run/);
});

test("a file that is not there is named, with the nearest, and mended by a click", async () => {
  await open(changed("CheckpointLoaderSimple", 0, "calotype-dem.safetensors"), "lost");
  await says(/node has a problem|nodes have problems/);
  await problems().click();
  const files = page.getByRole("region", { name: "Missing files" });
  await files
    .getByText(/calotype-dem\.safetensors is not among .*nearest: calotype-demo\.safetensors/)
    .waitFor();
  expect(await problems().textContent()).toBe("Problems 1");
  await files.getByRole("button", { name: "Load Checkpoint" }).click();
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.closest("[data-input]") !== null))
    .toBe(true);
  await files.getByRole("button", { name: "Use calotype-demo.safetensors" }).click();
  await files.waitFor({ state: "detached" });
  await says(/nodes will run|are cached/);
});

test("a value out of range, a missing wire and a missing output are mended by a click each", async () => {
  await open(changed("KSampler", 3, 900), "wild");
  await problems().click();
  const values = page.getByRole("region", { name: "Values" });
  await values.getByText("cfg is 900; the maximum is 100.").waitFor();
  await values.getByRole("button", { name: "Set to 100" }).click();
  await values.waitFor({ state: "detached" });

  await node("VAE Decode").locator(".card-title").click();
  await page.keyboard.press("Delete");
  const wires = page.getByRole("region", { name: "Wires", exact: true });
  await wires.getByText(/images is missing/).waitFor();
  await page.keyboard.press("Control+z");
  await wires.waitFor({ state: "detached" });

  await node("Picture").locator(".card-title").click();
  await page.keyboard.press("Delete");
  const whole = page.getByRole("region", { name: "The workflow" });
  await whole.getByText(/no output node/).waitFor();
  await whole.getByRole("button", { name: "Add Save Image" }).click();
  await whole.waitFor({ state: "detached" });
  // It is joined to the picture that is made.
  expect(await wires.count()).toBe(0);
});

/** The first bytes of a picture only. */
const BROKEN = Buffer.from(
  "89504e470d0a1a0a0000000d4948445200000040000000400802000000258be48f0000",
  "hex",
);

test("a failure is told plainly on its node; the traceback is folded, with a report to copy", async () => {
  await page.request.post(`${studio.address}/api/upload/image`, {
    multipart: { image: { name: "broken.png", mimeType: "image/png", buffer: BROKEN } },
  });
  await page.reload();
  await page.locator(".card").first().waitFor();
  await open({
    nodes: [
      {
        id: 1,
        type: "LoadImage",
        pos: [100, 100],
        size: [300, 300],
        outputs: [{ name: "IMAGE", type: "IMAGE", links: [1] }],
        widgets_values: ["broken.png", "image"],
      },
      {
        id: 2,
        type: "PreviewImage",
        pos: [500, 100],
        size: [300, 300],
        inputs: [{ name: "images", type: "IMAGE", link: 1 }],
      },
    ],
    links: [[1, 1, 0, 2, 0, "IMAGE"]],
    version: 0.4,
  });
  await says("2 nodes will run");
  await page.keyboard.press("Control+Enter");
  await node("Load Image").locator(".problem").waitFor({ timeout: RUN });
  const note = node("Load Image").getByTitle("Details of this failure");
  await note.getByText(/broken\.png/).click();
  const form = page.getByRole("complementary", { name: "Inspector" });
  await form.getByText("Traceback").waitFor();
  await problems().click();
  const failed = page.getByRole("region", { name: "Failed in the last run", exact: true });
  await failed
    .getByText(/broken\.png/)
    .first()
    .waitFor();
  const traceback = failed.locator("pre");
  expect(await traceback.isVisible()).toBe(false);
  await failed.getByText("Traceback").click();
  await traceback.getByText(/load_image/).waitFor();
  await failed.getByRole("button", { name: "Copy a report" }).click();
  await page.getByText("The report was copied to the clipboard.").waitFor();
  const report = await page.evaluate(() => navigator.clipboard.readText());
  expect(report).toMatch(/# LoadImage failed[\s\S]+Calotype \d[\s\S]+## Traceback/);

  // After an edit it may be fixed: the failure is dimmed, until the edit is undone.
  await node("Load Image").locator(".card-title").click();
  await page.keyboard.press("Control+m");
  await node("Load Image").getByRole("img", { name: "failed in the last run" }).waitFor();
  expect(await node("Load Image").locator(".problem").count()).toBe(0);
  expect(await note.count()).toBe(0);
  await page.getByRole("region", { name: "Failed in the last run, edited since" }).waitFor();
  await page.keyboard.press("Control+z");
  await node("Load Image").locator(".problem").waitFor();
  await failed.waitFor();
});

test("while the server is away the bar says so, edits go on, and what it knows comes back", async () => {
  let away = false;
  const sockets: WebSocketRoute[] = [];
  await page.routeWebSocket(/\/ws/, (socket) => {
    if (away) void socket.close();
    else {
      socket.connectToServer();
      sockets.push(socket);
    }
  });
  await page.reload();
  await page.locator(".card").first().waitFor();
  await says(/nodes will run|are cached/);
  away = true;
  for (const each of sockets) await each.close();
  await says("The server cannot be reached. Your work is kept.");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByText(/nothing can run now/).waitFor();
  await setNumber("KSampler", "cfg", "6.5");
  away = false;
  await says(/nodes will run|are cached/, 30_000);
});

test("what was made while nobody heard of it is on its node afterwards", async () => {
  let sockets: WebSocketRoute[] = [];
  let isDeaf = false;
  await page.routeWebSocket(/\/ws/, (socket) => {
    if (isDeaf) void socket.close();
    else {
      socket.connectToServer();
      sockets.push(socket);
    }
  });
  await page.reload();
  await page.locator(".card").first().waitFor();
  await small(105);
  await page.keyboard.press("Control+Enter");
  const made = node("Picture").locator("img").first();
  await made.waitFor({ timeout: RUN });
  await says("Nothing has changed: all 7 nodes are cached", RUN);
  const before = await made.getAttribute("src");
  await setNumber("KSampler", "cfg", "5.5");
  await page.keyboard.press("Control+Enter");
  await node("KSampler").getByRole("progressbar").waitFor({ timeout: RUN });
  isDeaf = true;
  for (const each of sockets) await each.close();
  sockets = [];
  await says("The server cannot be reached. Your work is kept.");
  await node("KSampler").getByRole("progressbar").waitFor({ state: "detached" });
  const job = () => page.request.get(`${studio.address}/api/queue`).then((all) => all.json());
  await expect.poll(async () => (await job()).queue_running.length, { timeout: RUN }).toBe(0);
  isDeaf = false;
  await expect.poll(() => made.getAttribute("src"), { timeout: RUN }).not.toBe(before);
});

test("with that on, every change runs", async () => {
  await small(104);
  await says(/nodes will run/);
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Run on every change" }).click();
  await setNumber("KSampler", "cfg", "3");
  await says("Nothing has changed: all 7 nodes are cached", RUN);
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Run on every change", checked: true }).click();
});

test("three quick presses are three runs, a key that is held is one", async () => {
  const sent: string[] = [];
  page.on("request", (asked) => {
    if (asked.method() === "POST" && asked.url().endsWith("/api/prompt")) sent.push(asked.url());
  });
  await small(109);
  for (let press = 0; press < 3; press += 1) await page.keyboard.press("Control+Enter");
  await expect.poll(() => sent.length).toBe(3);
  await page.keyboard.down("Control");
  for (let repeat = 0; repeat < 4; repeat += 1) await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  await page.keyboard.up("Control");
  await expect.poll(() => sent.length).toBe(4);
  await says("Nothing has changed: all 7 nodes are cached", RUN);
  expect(sent.length).toBe(4);
});

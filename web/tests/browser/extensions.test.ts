/**
 * Plugins' pages in the editor, in a real browser: what they can do, and what they cannot access.
 */
import { createSocket } from "node:dgram";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const EXAMPLE = resolve(import.meta.dirname, "../../../docs/extension_example");
const packs = mkdtempSync(join(tmpdir(), "calotype-packs-"));
/** A page that tries everything a page must not do, and reports the results. */
const HOSTILE = `<!doctype html><title>Hostile</title><script>
  const tried = {};
  const attempt = async (name, act) => {
    try { tried[name] = String(await act()); } catch (error) { tried[name] = "refused"; }
  };
  (async () => {
    await attempt("fetch", async () => (await fetch("/api/queue")).status);
    await attempt("parent", () => parent.document.title);
    await attempt("storage", () => localStorage.length);
    await attempt("cookie", () => document.cookie);
    await attempt("webrtc", async () => {
      const made = new RTCPeerConnection({ iceServers: [{ urls: "stun:127.0.0.1:PORT" }] });
      made.createDataChannel("out");
      await made.setLocalDescription(await made.createOffer());
      // Where it may not connect, gathering ends without a way out.
      await new Promise((done) => {
        if (made.iceGatheringState === "complete") done();
        made.onicegatheringstatechange = () => made.iceGatheringState === "complete" && done();
      });
      return "gathered";
    });
    parent.postMessage({ calotype: 1, type: "tell", text: JSON.stringify(tried) }, "*");
  })();
</script>`;

/** A page with a state that is nowhere else. */
const COUNTER = `<!doctype html><title>Counter</title><button>0</button><script>
  const button = document.querySelector("button");
  button.onclick = () => (button.textContent = Number(button.textContent) + 1);
  parent.postMessage({ calotype: 1, type: "ready" }, "*");
</script>`;

let studio: Studio;
let page: Page;
/** An outside host that a page would contact by WebRTC. */
const outside = createSocket("udp4");
let heard = 0;

beforeAll(async () => {
  cpSync(EXAMPLE, join(packs, "example"), { recursive: true });
  mkdirSync(join(packs, "hostile"));
  await new Promise<void>((done) => outside.bind(0, "127.0.0.1", done));
  outside.on("message", () => {
    heard += 1;
  });
  const hostile = HOSTILE.replace("PORT", String(outside.address().port));
  writeFileSync(join(packs, "hostile", "page.html"), hostile);
  writeFileSync(
    join(packs, "hostile", "calotype.json"),
    JSON.stringify({
      api: 1,
      name: "Hostile",
      commands: [
        { id: "try", title: "Try what is forbidden", page: "page.html", keys: ["Ctrl+Z"] },
      ],
    }),
  );
  mkdirSync(join(packs, "counter"));
  writeFileSync(join(packs, "counter", "counter.html"), COUNTER);
  const inputs = [{ node: "EmptyLatentImage", input: "batch_size" }];
  const widgets = [{ id: "counter", title: "Counter", page: "counter.html", height: 32, inputs }];
  writeFileSync(
    join(packs, "counter", "calotype.json"),
    JSON.stringify({ api: 1, name: "Counter", widgets }),
  );
  studio = await startStudio(["--custom-nodes-directory", packs]);
});
afterAll(async () => {
  await studio?.close();
  outside.close();
  rmSync(packs, { recursive: true });
});
beforeEach(async () => {
  page = await openPage(studio);
});
afterEach(() => page.context().close());

async function command(name: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill(name);
  await page.keyboard.press("Enter");
}

async function openSolid(): Promise<void> {
  const workflow = {
    nodes: [
      {
        id: 1,
        type: "EmptyImage",
        pos: [0, 0],
        size: [240, 200],
        outputs: [{ name: "IMAGE", type: "IMAGE", links: [1] }],
        widgets_values: [64, 64, 1, 0xb3261e],
      },
      {
        id: 2,
        type: "SaveImage",
        pos: [360, 0],
        size: [240, 300],
        inputs: [{ name: "images", type: "IMAGE", link: 1 }],
        widgets_values: ["solid"],
      },
    ],
    links: [[1, 1, 0, 2, 0, "IMAGE"]],
    version: 0.4,
  };
  const content = Buffer.from(JSON.stringify(workflow));
  await dropFile(page, { name: "solid.json", type: "application/json", content });
  await page.getByRole("tab", { name: "solid" }).waitFor();
}

test("a plugin's widget shows the value, changes it, and follows undo", async () => {
  await openSolid();
  const card = page.locator(".react-flow__node").filter({ has: page.locator("iframe") });
  await card.locator(".card-title").click();
  const pad = card.frameLocator("iframe");
  await expect
    .poll(() => pad.getByRole("button", { name: "#b3261e" }).getAttribute("aria-pressed"))
    .toBe("true");
  await pad.getByRole("button", { name: "#2e7d32" }).press("Enter");
  await expect
    .poll(() => pad.getByRole("button", { name: "#2e7d32" }).getAttribute("aria-pressed"))
    .toBe("true");
  const beside = page.locator(".inspector").frameLocator("iframe");
  await beside.getByRole("button", { name: "#1565c0" }).click();
  await expect
    .poll(() => pad.getByRole("button", { name: "#1565c0" }).getAttribute("aria-pressed"))
    .toBe("true");
  // The page has the focus, and passes the key on.
  await page.keyboard.press("Control+z");
  await expect
    .poll(() => pad.getByRole("button", { name: "#2e7d32" }).getAttribute("aria-pressed"))
    .toBe("true");
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await expect
    .poll(() => pad.getByRole("button", { name: "#b3261e" }).getAttribute("aria-pressed"))
    .toBe("true");
});

test("a plugin's renderer shows a result with its own setting", async () => {
  await openSolid();
  await page.keyboard.press("Control+Enter");
  const saved = page.getByRole("group", { name: "Save Image", exact: true });
  await saved.locator(".picture img").waitFor({ timeout: 110_000 });
  await page.keyboard.press("Control+,");
  await page.getByRole("spinbutton", { name: "Bars of the histogram" }).fill("8");
  await page.keyboard.press("Escape");
  await saved.locator(".card-title").click();
  await page.getByText("Histogram", { exact: true }).click();
  const chart = page.locator(".inspector").frameLocator("iframe").getByRole("img");
  await expect.poll(() => chart.getAttribute("aria-label")).toMatch(/8 bars; most often bar 3/);
});

test("a page that is loaded anew is told all again, and follows theme and settings", async () => {
  await openSolid();
  const card = page.locator(".react-flow__node").filter({ has: page.locator("iframe") });
  await card.locator(".card-title").click();
  const frame = page.locator(".inspector iframe");
  const pressed = frame.contentFrame().getByRole("button", { name: "#b3261e", pressed: true });
  await pressed.waitFor();
  // When the browser moves the element, its page is loaded again.
  await frame.evaluate((element) => element.parentNode?.insertBefore(element, null));
  await pressed.waitFor();
  const scheme = () =>
    frame
      .contentFrame()
      .locator("html")
      .evaluate((html: HTMLElement) => html.style.colorScheme);
  await expect.poll(scheme).toBe("dark");
  await page.getByRole("button", { name: "Light theme" }).click();
  await expect.poll(scheme).toBe("light");
  await page.getByRole("button", { name: "Dark theme" }).click();
  await expect.poll(scheme).toBe("dark");
});

test("a page keeps its state while its node is scrolled out of sight", async () => {
  const nodes = [{ id: 1, type: "EmptyLatentImage", pos: [0, 0], size: [240, 200] }];
  const content = Buffer.from(JSON.stringify({ nodes, links: [], version: 0.4 }));
  await dropFile(page, { name: "counted.json", type: "application/json", content });
  await page.getByRole("tab", { name: "counted" }).waitFor();
  const card = page.locator(".react-flow__node").filter({ has: page.locator("iframe") });
  const counter = 'iframe[title^="Counter"]';
  const onCard = card.frameLocator(counter).getByRole("button");
  const beside = page.locator(".inspector").frameLocator(counter).getByRole("button");
  await card.locator(".card-title").click();
  for (let count = 0; count < 3; count += 1) await onCard.click();
  for (let count = 0; count < 2; count += 1) await beside.click();
  const isKept = async () => {
    await expect.poll(() => onCard.textContent()).toBe("3");
    await expect.poll(() => beside.textContent()).toBe("2");
  };
  await isKept();

  // The node scrolls away, and comes back.
  const box = await page.locator(".canvas").boundingBox();
  if (box === null) throw new Error("The canvas is not on the screen.");
  const pan = async (by: number) => {
    const from = { x: box.x + box.width / 2, y: box.y + 60 };
    await page.mouse.move(from.x, from.y);
    await page.mouse.down({ button: "middle" });
    await page.mouse.move(from.x, from.y + by, { steps: 4 });
    await page.mouse.up({ button: "middle" });
  };
  for (let step = 0; step < 5; step += 1) await pan(300);
  await card.waitFor({ state: "detached" });
  await page.keyboard.press("Home");
  await isKept();
});

test("a number of a setting is typed digit by digit", async () => {
  await page.keyboard.press("Control+,");
  const bars = page.getByRole("spinbutton", { name: "Bars of the histogram" });
  await bars.click();
  await page.keyboard.press("Control+a");
  // Neither nothing nor 1 is allowed: the least value is 4.
  await page.keyboard.press("Delete");
  await page.keyboard.type("16");
  await expect.poll(() => bars.inputValue()).toBe("16");
  await page.keyboard.press("Tab");
  await expect.poll(() => bars.inputValue()).toBe("16");
  await page.keyboard.press("Escape");
});

test("a plugin's command puts nodes down, and one undo takes them back", async () => {
  const before = await page.locator(".react-flow__node").count();
  await command("put a note about the light");
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(before + 1);
  await page.keyboard.press("Control+z");
  await expect.poll(() => page.locator(".react-flow__node").count()).toBe(before);
});

test("a plugin's page is given what is selected", async () => {
  await page.keyboard.press("Control+a");
  await command("count the selected nodes");
  const dialog = page.getByRole("dialog", { name: "Count the selected nodes" });
  await dialog.frameLocator("iframe").getByText("Selected: 7").waitFor();
  await page.keyboard.press("Escape");
});

test("a plugin's page reaches neither the server nor the editor", async () => {
  await command("try what is forbidden");
  const notice = page.getByText(/"fetch":/);
  await notice.waitFor();
  const tried = JSON.parse((await notice.textContent())?.match(/\{.*\}/)?.[0] ?? "{}");
  expect(tried).toEqual({
    fetch: "refused",
    parent: "refused",
    storage: "refused",
    cookie: "refused",
    webrtc: "gathered",
  });
  // No message reached the outside host.
  expect(heard).toBe(0);
});

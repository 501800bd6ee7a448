/** The panel of the packs, with a server whose answers the test gives. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { violations } from "./axe";
import { openPage, runCommand, type Studio, startStudio } from "./studio";

const REPORTS = [
  {
    name: "good-pack",
    version: "1.2.0",
    state: "loaded",
    seconds: 0.42,
    nodes: ["GoodBlur", "GoodSharpen"],
    warnings: ["replaces comfy.sample.x, which nothing here calls"],
    left_out: { GoodBroken: "INPUT_TYPES raised KeyError" },
    enabled: true,
    claims: { GoodBlur: ["good-pack", "other-pack"] },
  },
  { name: "other-pack", version: "", state: "loaded", seconds: 2.5, nodes: ["GoodBlur"] },
  {
    name: "wants-more",
    state: "failed",
    seconds: 0.1,
    error: "It needs the module nowhere_to_be_found, which is not installed.",
    install: "pip install nowhere-to-be-found",
    traceback: ["Traceback (most recent call last):", "ModuleNotFoundError"],
    enabled: true,
  },
];

const ENVIRONMENT = {
  is_made: false,
  wanted: ["other-thing<2"],
  present: ["numpy"],
  left_out: ["torch>=2"],
};

let studio: Studio;
let page: Page;
let reports: Record<string, unknown>[];
let asked: { path: string; body: unknown }[];

beforeAll(async () => {
  studio = await startStudio(["--classic-port", "off"]);
});
afterAll(() => studio?.close());
beforeEach(async () => {
  reports = structuredClone(REPORTS);
  asked = [];
  page = await openPage(studio, async (opened) => {
    await opened.route(/\/api\/calotype\/packs/, async (route) => {
      const request = route.request();
      const path = new URL(request.url()).pathname.split("/packs/")[1] ?? "";
      if (path.endsWith("/environment")) return route.fulfill({ json: ENVIRONMENT });
      if (request.method() === "GET") return route.fulfill({ json: reports });
      asked.push({ path, body: request.postDataJSON() });
      if (path === "reload") reports[0] = { ...reports[0], state: "loading" };
      return route.fulfill({ body: "" });
    });
  });
});
afterEach(() => page.context().close());

test("each pack is told with its state, and a fault with what would mend it", async () => {
  await runCommand(page, "packs of nodes");
  const dialog = page.getByRole("dialog", { name: "Packs of nodes" });
  await dialog.getByText("1 pack could not be loaded. The others are not affected.").waitFor();
  const rows = dialog.getByRole("listitem");
  expect(await rows.locator("b").allTextContents()).toEqual(
    expect.arrayContaining(["wants-more", "good-pack", "other-pack"]),
  );
  expect(await rows.first().locator(".head b").textContent()).toBe("wants-more");
  expect(await rows.first().textContent()).toContain("nowhere_to_be_found, which is not");
  await rows
    .first()
    .getByRole("button", { name: "Copy the command that installs what wants-more needs" })
    .click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
    "pip install nowhere-to-be-found",
  );
  expect(await rows.nth(1).textContent()).toContain("loaded · 2 nodes · 420 ms");
  await rows.nth(1).getByText("Details").click();
  await rows.nth(1).getByText("INPUT_TYPES raised KeyError").waitFor();
  expect(await violations(page, "packs")).toEqual([]);
});

test("packs are switched, reloaded and chosen by keyboard, and a start is waited for", async () => {
  await runCommand(page, "packs of nodes");
  const dialog = page.getByRole("dialog", { name: "Packs of nodes" });
  const toggle = dialog.getByRole("checkbox", { name: "Load good-pack" });
  await expect.poll(() => toggle.isChecked()).toBe(true);
  reports[0] = { ...reports[0], enabled: false };
  await toggle.focus();
  await page.keyboard.press("Space");
  await dialog.getByText("Some changes take effect when the packs are reloaded.").waitFor();
  await expect.poll(() => toggle.isChecked()).toBe(false);
  await dialog.getByRole("combobox", { name: "GoodBlur" }).selectOption("other-pack");
  await expect.poll(() => asked.length).toBe(2);
  const reload = dialog.getByRole("button", { name: "Reload the packs" });
  await expect.poll(() => reload.isEnabled()).toBe(true);
  await reload.focus();
  await page.keyboard.press("Enter");
  await dialog.getByText("The packs are loading.").waitFor();
  await expect.poll(() => reload.isDisabled()).toBe(true);
  reports[0] = { ...reports[0], state: "disabled" };
  // No event comes: it is asked for again.
  await expect.poll(() => reload.isEnabled()).toBe(true);
  expect(asked).toEqual([
    { path: "good-pack", body: { enabled: false } },
    { path: "choose", body: { class: "GoodBlur", pack: "other-pack" } },
    { path: "reload", body: {} },
  ]);
  await page.keyboard.press("Escape");
  await expect.poll(() => dialog.count()).toBe(0);
});

test("a pack is isolated after it was shown what that installs, and loses the network", async () => {
  reports[2] = { ...reports[2], clashes: ["other-thing<2 (here is 2.1)"] };
  await runCommand(page, "packs of nodes");
  const dialog = page.getByRole("dialog", { name: "Packs of nodes" });
  const row = dialog.getByRole("listitem").first();
  await row.getByText("A process of its own may help").waitFor();
  await row.locator("summary").click();
  await row.getByText("It requires other versions than are here: other-thing<2").waitFor();
  const isolate = row.getByRole("checkbox", { name: "Isolate wants-more" });
  await isolate.focus();
  await page.keyboard.press("Space");
  await row.getByText("Installed into its environment: other-thing<2").waitFor();
  await row.getByText("Never installed again: torch>=2").waitFor();
  expect(asked).toEqual([]);
  expect(await violations(page, "packs")).toEqual([]);
  await row.getByRole("button", { name: "Cancel" }).click();
  await expect.poll(() => isolate.isChecked()).toBe(false);
  await isolate.click();
  reports[2] = { ...reports[2], state: "isolated", error: "", isolated: true, nodes: ["Wants"] };
  await row.getByRole("button", { name: "Install and isolate" }).click();
  const named = dialog.getByRole("listitem").filter({ hasText: "wants-more" });
  await named.getByText("loaded, isolated").waitFor();
  await named.getByRole("checkbox", { name: "wants-more may use the network" }).click();
  await expect.poll(() => asked.length).toBe(2);
  expect(asked).toEqual([
    { path: "wants-more", body: { isolated: true } },
    { path: "wants-more", body: { network: false } },
  ]);
});

test("without packs it says where to put them", async () => {
  reports = [];
  await runCommand(page, "packs of nodes");
  await page.getByText("There are no packs. Put their folders into custom_nodes").waitFor();
});

test("the classic view opens in a window of its own; switched off, it says why", async () => {
  const opened = page.context().waitForEvent("page");
  await runCommand(page, "open the classic view");
  const classic = await opened;
  await classic.getByRole("heading", { name: "The classic view is not available" }).waitFor();
  await classic.getByText("--classic-port off").waitFor();
  expect(await classic.evaluate(() => window.opener)).toBe(null);
});

/** Parts of the editor while the server is unreachable for a moment: they load once it is back. */
import type { Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { framesIn } from "../bench/measure";
import { drag, middleOf } from "./pointer";
import { openPage, runCommand, type Studio, startStudio } from "./studio";

let studio: Studio;
beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

const PARTS = [
  "laterParts-*.js",
  "lazyPanels-*.js",
  "all-*.js",
  "lazyPanels-*.css",
  "laterParts-*.css",
];

/** Blocks these parts until released; counts the requests that failed. */
async function withhold(page: Page, parts: readonly string[]) {
  let [away, refused] = [true, 0];
  const answer = (route: Route) => {
    if (!away) return route.continue();
    refused += 1;
    return route.abort();
  };
  for (const each of parts) await page.route(`**/assets/${each}`, answer);
  return {
    refused: () => refused,
    give: () => {
      away = false;
    },
  };
}

test.each(PARTS)("%s that did not come is fetched again, and nobody hears of it", async (part) => {
  let refused = () => 0;
  const page = await openPage(studio, async (made) => {
    const held = await withhold(made, [part]);
    refused = held.refused;
    made.on("requestfailed", held.give);
  });
  expect(refused()).toBeGreaterThan(0);
  await page.getByRole("complementary").first().waitFor();
  await page.locator(".minimap").waitFor();
  expect(await page.getByRole("alert").textContent()).toBe("");
  const styled = () =>
    page.evaluate(() => [...document.styleSheets].map(({ href }) => href?.split("/").at(-1) ?? ""));
  for (const sheet of ["laterParts-", "lazyPanels-"]) {
    expect((await styled()).filter((each) => each.startsWith(sheet))).toHaveLength(1);
  }
  await page.context().close();
});

test("parts that stay away are told of; they come when the server is back", async () => {
  const page = await (await studio.browser.newContext()).newPage();
  const held = await withhold(page, PARTS);
  await page.goto(studio.address);
  await page.getByRole("alert").getByText("could not be loaded").waitFor();
  // The parts already loaded continue to work.
  await page.locator(".card").first().waitFor();
  held.give();
  await page.locator(".studio[aria-busy=false]").waitFor();
  await page.locator(".minimap").waitFor();
  await page.context().close();
});

test("what was not asked for yet opens while the server is away, once the page was left alone", async () => {
  const page = await (await studio.browser.newContext()).newPage();
  await page.goto(studio.address);
  await page.locator(".studio[aria-busy=false]").waitFor();
  const fetched = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => name)
        .join(),
    );
  // The last prefetched part.
  await expect.poll(fetched, { timeout: 90_000 }).toContain("/outpaint-");
  expect(await fetched()).not.toMatch(/MaskEditor|dagre/);
  await expect.poll(() => framesIn(page, 500), { timeout: 30_000 }).toEqual({ asked: 0, drawn: 0 });
  await page.route("**/*", (route) => route.abort());
  for (const [command, title] of [
    ["Start from a template", "Templates"],
    ["Change the keys", "Change the keys"],
    ["Settings", "Settings"],
  ] as const) {
    await runCommand(page, command);
    await page.getByRole("dialog", { name: title }).waitFor();
    await page.keyboard.press("Escape");
  }
  await page.context().close();
});

test("a list that Escape closed before it could be drawn stays closed", async () => {
  const page = await (await studio.browser.newContext()).newPage();
  const held = await withhold(page, ["lazyPanels-*.js"]);
  await page.goto(studio.address);
  const from = await middleOf(page.locator(".react-flow__handle.source").first());
  await drag(page, from, { x: from.x + 60, y: from.y + 320 });
  await page.mouse.up();
  await page.keyboard.press("Escape");
  held.give();
  await page.locator(".studio[aria-busy=false]").waitFor();
  await page.locator(".minimap").waitFor();
  expect(await page.getByRole("dialog", { name: "Add a node" }).count()).toBe(0);
  await page.context().close();
});

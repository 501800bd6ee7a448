/**
 * Two browsers with one document, one of them disconnected from the server: the edits of both are
 * kept.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;
beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

const prompt = (page: Page) =>
  page.getByRole("group", { name: "Prompt", exact: true }).getByRole("textbox");

async function write(page: Page, text: string): Promise<void> {
  await prompt(page).fill(text);
  await page.keyboard.press("Escape");
}

async function openIn(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(studio.address);
  await page.locator(".studio[aria-busy=false]").waitFor();
  return page;
}

/** The server's journals of all documents. */
async function kept(): Promise<{ alive: boolean; text: string }[]> {
  const folder = `${studio.address}/api/calotype/journals`;
  const listed = (await (await fetch(folder)).json()) as { id: string; alive: boolean }[];
  return Promise.all(
    listed.map(async ({ id, alive }) => {
      return { alive, text: await (await fetch(`${folder}/${id}`)).text() };
    }),
  );
}

/** Whether this browser stores a whole document that the server does not have. */
function hasWhole(page: Page): Promise<boolean> {
  return page.evaluate(
    () =>
      new Promise<boolean>((done, fail) => {
        const opening = indexedDB.open("calotype.journals");
        opening.onerror = () => fail(opening.error);
        opening.onsuccess = () => {
          const getting = opening.result.transaction("unsent").objectStore("unsent").getAll();
          getting.onsuccess = () => {
            opening.result.close();
            done(JSON.stringify(getting.result).includes("what one did alone"));
          };
        };
      }),
  );
}

test("edits made while the server was away come back beside those of another browser", async () => {
  const one = await openPage(studio);
  await write(one, "what both began with");
  await expect
    .poll(async () => (await kept()).some(({ text }) => text.includes("what both began with")))
    .toBe(true);
  const context = one.context();
  await context.setOffline(true);
  // Requests that a closing page sends are not blocked by the line above.
  await one.evaluate(() => {
    window.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  });
  await write(one, "what one did alone");
  await expect.poll(() => hasWhole(one)).toBe(true);
  await one.close();
  await expect.poll(async () => (await kept()).some(({ alive }) => alive)).toBe(false);

  const other = await openIn(await studio.browser.newContext());
  await expect.poll(() => prompt(other).inputValue()).toBe("what both began with");
  await write(other, "what the other did");
  await expect
    .poll(async () => (await kept()).some(({ text }) => text.includes("what the other did")))
    .toBe(true);
  await other.context().close();
  await expect.poll(async () => (await kept()).some(({ alive }) => alive)).toBe(false);

  await context.setOffline(false);
  const again = await openIn(context);
  const tabs = again.locator(".strip").getByRole("tab");
  await expect
    .poll(() => tabs.allTextContents())
    .toEqual(["Text to image", "Text to image (this browser's edits)"]);
  await again.getByRole("status").getByText("was edited in another browser").waitFor();
  await tabs.nth(1).click();
  await expect.poll(() => prompt(again).inputValue()).toBe("what one did alone");
  await again.keyboard.press("Escape");
  await tabs.nth(0).click();
  await expect.poll(() => prompt(again).inputValue()).toBe("what the other did");
  await context.close();
});

/**
 * The editor in two languages: first the browser's, then the chosen one, at once and after a
 * reload.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio.close());

const runButton = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

test("a browser that asks for German gets it, numbers too", async () => {
  const page = await openPage(studio, undefined, { locale: "de-DE" });
  await runButton(page, "Ausführen").waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("de");
  expect(await page.locator("html").getAttribute("dir")).toBe("ltr");
  expect(await page.getByRole("tab", { name: "Text zu Bild" }).count()).toBe(1);
  expect(await page.locator(".zoom-bar .percent").textContent()).toMatch(/^\d+\s%$/);
  await page.context().close();
});

test("another language is there at once, and after the page is read again", async () => {
  const page = await openPage(studio);
  await page.locator('.react-flow__node[data-id="1"] .card-title').click();
  await page.keyboard.press("Control+,");
  await page.getByLabel("Language").focus();
  await page.getByLabel("Language").selectOption("de");

  const settings = page.getByRole("dialog", { name: "Einstellungen" });
  await settings.waitFor();
  expect(
    await settings.getByLabel("Sprache").evaluate((own) => own === document.activeElement),
  ).toBe(true);
  await page.keyboard.press("Escape");
  await settings.waitFor({ state: "hidden" });
  expect(await page.locator("html").getAttribute("lang")).toBe("de");
  await runButton(page, "Ausführen").waitFor();
  await page.getByRole("tab", { name: "Warteschlange" }).waitFor();
  await page.locator(".react-flow__node.selected").waitFor();

  await page.keyboard.press("Control+k");
  await page.keyboard.type("auswahl umg");
  await page.getByRole("option", { name: /^Auswahl umgehen/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".card .mode", { hasText: "umgangen" }).waitFor();
  const undo = page.getByRole("button", { name: "Rückgängig" });
  expect(await undo.getAttribute("data-tip")).toBe("Rückgängig: Umgehen  Strg Z");

  await page.reload();
  await runButton(page, "Ausführen").waitFor();
  await page.locator(".card .mode", { hasText: "umgangen" }).waitFor();

  await page.keyboard.press("Control+,");
  await page.getByLabel("Sprache").selectOption("en");
  await page.getByRole("dialog", { name: "Settings" }).waitFor();
  await page.keyboard.press("Escape");
  await runButton(page, "Run").waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("en");
  await page.context().close();
});

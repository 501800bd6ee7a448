/** The first minute of a new user: the studio's own first workflow, run as it is. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio([], undefined, "bundled");
});
afterAll(() => studio?.close());

test("the first workflow is whole, and Run ends in a picture of 512 pixels", async () => {
  // On a small screen, too, the nodes are drawn with their fields, not as an overview.
  const page = await openPage(studio, undefined, { viewport: { width: 1280, height: 720 } });
  expect(await page.locator(".card").count()).toBe(9);
  expect(await page.getByRole("tab", { name: /^Problems \d/ }).count()).toBe(0);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const picture = page.locator(".card .picture img").first();
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(512);
  await page.context().close();
});

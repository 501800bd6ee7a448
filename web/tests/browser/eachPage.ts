/** The setup of most files here: one server per file, and a new page for each test. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

/**
 * `give` receives each page before its test; `prepare` runs before the page loads; `start` replaces
 * the default server.
 */
export function eachPage(
  give: (page: Page, studio: Studio) => void,
  prepare?: (page: Page) => Promise<void>,
  start: () => Promise<Studio> = startStudio,
): void {
  let studio: Studio;
  let page: Page;
  beforeAll(async () => {
    studio = await start();
  });
  afterAll(() => studio?.close());
  beforeEach(async () => {
    page = await openPage(studio, prepare);
    give(page, studio);
  });
  afterEach(() => page.context().close());
}

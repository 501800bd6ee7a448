/** What most files here begin with: a server of their own, and for each test a page of its own. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { openPage, type Studio, startStudio } from "./studio";

/**
 * `give` is handed each page before its test; `prepare` runs before the page loads; `start` for a
 * server that is not as it comes.
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

/** A server that answers late, or not at all, delays only what was requested. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { PIXEL, workflowOf } from "./samples";
import { dropFile } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });

async function openLoader(): Promise<void> {
  await dropFile(page, {
    name: "load.json",
    type: "application/json",
    content: Buffer.from(JSON.stringify(workflowOf([{ type: "LoadImage" }]))),
  });
  await node("Load Image").waitFor();
}

test("an upload sets its value at once, and asks for no whole catalog, even where lists fail", async () => {
  await openLoader();
  let wholes = 0;
  await page.route("**/api/object_info", (route) => {
    wholes += 1;
    return route.abort();
  });
  await page.route("**/api/object_info/*", (route) => route.abort());
  await dropFile(
    page,
    { name: "what? a:b.png", type: "image/png", content: PIXEL },
    '.card[aria-label="Load Image"]',
  );
  await expect
    .poll(() =>
      node("Load Image")
        .getByRole("button", { name: /^image/ })
        .textContent(),
    )
    .toMatch(/what_ a_b/);
  expect((await page.getByRole("alert").allTextContents()).join("")).toBe("");
  expect(await node("Load Image").locator(".error, [aria-invalid=true]").count()).toBe(0);
  expect(wholes).toBe(0);
});

test("a check that stalls does not hold back the run after it", async () => {
  let checks = 0;
  await page.route("**/api/calotype/check", (route) => {
    checks += 1;
    // The first check is never answered.
    return checks === 1 ? undefined : route.continue();
  });
  const submitted = page.waitForRequest((request) => /\/api\/prompt$/.test(request.url()));
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect.poll(() => checks).toBe(1);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await submitted;
  await page.getByText("1 waiting").or(page.locator(".total, progress")).first().waitFor();
});

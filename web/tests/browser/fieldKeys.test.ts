/** Fields by keyboard alone, and what a drag or a list leaves behind. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";

let page: Page;

eachPage((opened) => {
  page = opened;
});

const sampler = () => page.getByRole("group", { name: "KSampler", exact: true });
const text = (field: Locator) => field.getAttribute("aria-valuetext");

test("a number is typed from its first digit on, by the keys alone", async () => {
  const steps = sampler().getByRole("spinbutton", { name: "steps" });
  await steps.focus();
  await page.keyboard.type("47");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(steps)).toBe("47");
  // The field has the focus still: the next number goes the same way.
  await page.keyboard.type("12");
  await page.keyboard.press("Escape");
  await expect.poll(() => text(steps)).toBe("47");
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => text(steps)).toBe("48");
});

test("a list that was chosen from gives the focus back to its field", async () => {
  const combo = sampler().getByRole("button", { name: /^sampler_name/ });
  await combo.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "sampler_name" }).waitFor();
  await page.keyboard.type("euler");
  await page.keyboard.press("Enter");
  await expect.poll(() => combo.textContent()).toMatch(/euler$/);
  await expect.poll(() => combo.evaluate((each) => document.activeElement === each)).toBe(true);
});

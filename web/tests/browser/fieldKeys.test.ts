/** Fields by keyboard alone, and the focus after a drag or a list. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { middleOf } from "./pointer";

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
  // The field still has the focus, so the next number is typed likewise.
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

test("Escape gives up a drag: the number is what it was", async () => {
  const steps = sampler().getByRole("spinbutton", { name: "steps" });
  const before = await text(steps);
  const { x, y } = await middleOf(steps);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 60, y, { steps: 5 });
  await expect.poll(() => text(steps)).not.toBe(before);
  await page.keyboard.press("Escape");
  await expect.poll(() => text(steps)).toBe(before);
  await page.mouse.move(x + 90, y);
  await page.mouse.up();
  expect(await text(steps)).toBe(before);
});

test("a choice becomes an input, fed by a node that has the same choices, and runs", async () => {
  const combo = sampler().getByRole("button", { name: /^sampler_name/ });
  await combo.focus();
  await page.keyboard.press("Shift+F10");
  await page.getByRole("menuitem", { name: /^Convert to an input/ }).click();
  const holder = page.getByRole("group", { name: "sampler_name", exact: true });
  await holder.getByRole("button", { name: /^value/ }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "value" }).waitFor();
  await page.keyboard.type("euler");
  await page.keyboard.press("Enter");
  await sampler().locator(".linked", { hasText: "sampler_name" }).getByText("euler").waitFor();
  const steps = sampler().getByRole("spinbutton", { name: "steps" });
  await steps.focus();
  await page.keyboard.type("2");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(steps)).toBe("2");
  await page.keyboard.press("Control+Enter");
  await page
    .getByRole("group", { name: "Picture", exact: true })
    .locator("img")
    .first()
    .waitFor({ timeout: 110_000 });
});

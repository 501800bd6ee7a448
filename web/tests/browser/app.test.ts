/** A workflow as a form, in a real browser: running it, editing it, and its layout on a phone. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

let studio: Studio;

beforeAll(async () => {
  studio = await startStudio();
});
afterAll(() => studio?.close());

const form = (page: Page) => page.getByRole("region", { name: "Form" });

async function setNumber(page: Page, name: string, value: string): Promise<void> {
  await form(page).getByRole("spinbutton", { name, exact: true }).click();
  const typing = form(page).getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

test("a workflow without a form gets one at once, runs from it, and the graph has its values", async () => {
  const page = await openPage(studio);
  await page.keyboard.press("Alt+m");
  await form(page).getByRole("textbox", { name: "Prompt", exact: true }).fill("a red house");
  await setNumber(page, "width", "64");
  await setNumber(page, "height", "64");
  await setNumber(page, "steps", "2");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const picture = page.getByRole("region", { name: "Results" }).locator(".app-picture img");
  await picture.waitFor({ timeout: 110_000 });
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBe(64);

  await page.getByRole("button", { name: "Graph", exact: true }).click();
  const prompt = page.getByRole("group", { name: "Prompt", exact: true }).getByRole("textbox");
  await expect.poll(() => prompt.inputValue()).toBe("a red house");
  await prompt.fill("a blue house");
  await page.keyboard.press("Alt+m");
  await expect
    .poll(() => form(page).getByRole("textbox", { name: "Prompt", exact: true }).inputValue())
    .toBe("a blue house");
  await page.context().close();
});

test("the form is changed: words, order, fields; one undo takes each back", async () => {
  const page = await openPage(studio);
  await page.keyboard.press("Alt+m");
  await form(page).getByRole("button", { name: "Change the form" }).click();
  const fields = form(page).getByRole("list", { name: "Fields of the form" }).getByRole("listitem");
  const count = await fields.count();
  await fields.first().getByRole("textbox", { name: "Name in the form" }).fill("What to paint");
  await page.keyboard.press("Enter");
  await fields.first().getByRole("textbox", { name: "Heading above it" }).fill("Words");
  await page.keyboard.press("Enter");
  await form(page).getByText("Add a field").click();
  await form(page).getByRole("searchbox", { name: "Search the fields" }).fill("sampler_name");
  await form(page)
    .getByRole("button", { name: /KSampler: sampler_name/ })
    .click();
  await expect.poll(() => fields.count()).toBe(count + 1);
  await form(page).getByRole("button", { name: "Move KSampler: sampler_name up" }).click();
  await expect
    .poll(() =>
      fields
        .nth(count - 1)
        .locator(".name")
        .textContent(),
    )
    .toBe("KSampler: sampler_name");
  await form(page).getByRole("button", { name: "Change the form" }).click();
  await form(page).getByRole("heading", { name: "Words" }).waitFor();
  await form(page).getByRole("textbox", { name: "What to paint" }).waitFor();
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await expect
    .poll(() =>
      form(page)
        .getByRole("combobox", { name: /sampler_name/ })
        .count(),
    )
    .toBe(0);
  await page.context().close();
});

test("on a phone a workflow with a form opens as an app and fits the screen", async () => {
  const desk = await openPage(studio);
  await desk.keyboard.press("Alt+m");
  // What shows the form is loaded on first use; a reload before that would find a graph.
  await form(desk).getByRole("textbox", { name: "Prompt", exact: true }).waitFor();
  await desk.setViewportSize({ width: 390, height: 844 });
  await desk.reload();
  await form(desk).getByRole("textbox", { name: "Prompt", exact: true }).waitFor();
  const wide = await desk.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
  const run = await desk.getByRole("button", { name: "Run", exact: true }).boundingBox();
  expect((run?.y ?? 0) + (run?.height ?? 0)).toBeLessThanOrEqual(844);
  const isCut = await desk
    .getByRole("tab", { name: "Text to image", exact: true })
    .evaluate((tab) => tab.scrollWidth > tab.clientWidth || tab.getBoundingClientRect().width < 80);
  expect(isCut).toBe(false);
  await desk.context().close();
});

test("on a phone the result comes into view, unless somebody types meanwhile", async () => {
  const phone = await openPage(studio, undefined, { reducedMotion: "reduce" });
  await phone.keyboard.press("Alt+m");
  await phone.setViewportSize({ width: 390, height: 844 });
  await setNumber(phone, "width", "64");
  await setNumber(phone, "height", "64");
  await setNumber(phone, "steps", "2");
  const room = phone.locator(".app-mode");
  const top = () => room.evaluate((each) => each.scrollTop);
  const toTop = () =>
    room.evaluate((each) => {
      each.scrollTop = 0;
    });
  const run = phone.getByRole("button", { name: "Run", exact: true });
  const picture = phone.locator(".app-picture img");
  await toTop();
  await run.click();
  await picture.waitFor({ timeout: 110_000 });
  const seen = () =>
    picture.evaluate((image) => {
      const { top: above, bottom } = image.getBoundingClientRect();
      const bar = document.querySelector(".app-run")?.getBoundingClientRect().top ?? 0;
      return above >= 0 && bottom <= bar;
    });
  await expect.poll(seen).toBe(true);

  const first = await picture.getAttribute("src");
  await setNumber(phone, "seed", "77");
  let goOn: () => void = () => undefined;
  const until = new Promise<void>((done) => {
    goOn = done;
  });
  await phone.route("**/prompt", async (route) => {
    await until;
    await route.continue();
  });
  await run.click();
  await form(phone).getByRole("textbox", { name: "Prompt", exact: true }).focus();
  await toTop();
  goOn();
  await expect.poll(() => picture.getAttribute("src"), { timeout: 60_000 }).not.toBe(first);
  await phone.locator(".thumb.now").waitFor({ state: "detached" });
  expect(await top()).toBe(0);
  await phone.context().close();
});

test("each document is shown as an app or as a graph for itself, after a reload, too", async () => {
  const page = await openPage(studio);
  const tab = (name: string) => page.getByRole("tab", { name, exact: true });
  const shownAs = (name: string) =>
    page.getByRole("group", { name: "Show as" }).getByRole("button", { name, pressed: true });
  await page.keyboard.press("Alt+m");
  await form(page).waitFor();
  await page.getByRole("button", { name: "New workflow" }).click();
  await page.locator(".canvas").waitFor();
  await shownAs("Graph").waitFor();
  expect(await form(page).count()).toBe(0);
  await tab("Text to image").click();
  await form(page).waitFor();
  await shownAs("App").waitFor();
  await tab("Untitled").click();
  await page.locator(".canvas").waitFor();
  await page.reload();
  await page.locator(".studio[aria-busy=false]").waitFor();
  await page.locator(".canvas").waitFor();
  expect(await form(page).count()).toBe(0);
  await tab("Text to image").click();
  await form(page).waitFor();
  await page.context().close();
});

test("beside the form nothing of the graph is changed by keys, and a dropped file opens", async () => {
  const page = await openPage(studio);
  await page.keyboard.press("Alt+m");
  await page.getByRole("region", { name: "Form" }).waitFor();
  await page.locator(".app-stage").click();
  await page.keyboard.press("Delete");
  await page.keyboard.press("Shift+N");
  // The last edit is still the one that made the form.
  const undo = page.getByRole("button", { name: "Undo", exact: true });
  expect(await undo.getAttribute("data-tip")).toContain("Undo: Choose the fields of the app");
  const workflow = JSON.stringify({ nodes: [], links: [], version: 0.4 });
  await dropFile(
    page,
    { name: "dropped.json", type: "application/json", content: Buffer.from(workflow) },
    ".app-results",
  );
  await page.getByRole("tab", { name: "dropped" }).waitFor();
  await page.context().close();
});

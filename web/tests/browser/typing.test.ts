/** Typing in other scripts: input methods, AltGr, full-width digits, long texts. */
import type { CDPSession, Locator, Page } from "playwright-core";
import { beforeEach, expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { runCommand } from "./studio";

let page: Page;
let input: CDPSession;

eachPage((opened) => {
  page = opened;
});

beforeEach(async () => {
  input = await page.context().newCDPSession(page);
});

const node = (title: string) => page.getByRole("group", { name: title, exact: true });
const tabs = () => page.locator(".strip").getByRole("tab").allTextContents();
const text = (field: Locator) => field.getAttribute("aria-valuetext");

/** Sets the text of a composition in progress. */
async function compose(word: string): Promise<void> {
  const end = word.length;
  await input.send("Input.imeSetComposition", {
    text: word,
    selectionStart: end,
    selectionEnd: end,
  });
}

/** A key that the input method handles, as reported by browsers. */
async function composingKey(key: string): Promise<void> {
  await input.send("Input.dispatchKeyEvent", {
    type: "rawKeyDown",
    windowsVirtualKeyCode: 229,
    key,
    code: key,
  });
}

/** Accepts the composed word. */
const take = (word: string) => input.send("Input.insertText", { text: word });

test("Enter and Escape that belong to a composition act in no list, dialog or title", async () => {
  const cards = await page.locator(".card").count();
  await page.locator(".canvas").focus();
  await page.keyboard.press("Tab");
  const palette = page.getByRole("dialog", { name: "Add a node" });
  await palette.getByRole("option").first().waitFor();
  await compose("ksampler");
  await palette
    .getByRole("option", { name: /KSampler/ })
    .first()
    .waitFor();
  await composingKey("Enter");
  await composingKey("Escape");
  await composingKey("Tab");
  expect(await page.locator(".card").count()).toBe(cards);
  expect(await palette.count()).toBe(1);
  await take("ksampler");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".card").count()).toBe(cards + 1);

  await page.keyboard.press("Control+k");
  await compose("New workflow");
  await page
    .getByRole("option", { name: /New workflow/ })
    .first()
    .waitFor();
  await composingKey("Enter");
  expect(await tabs()).toHaveLength(1);
  await take("New workflow");
  await page.keyboard.press("Enter");
  await expect.poll(async () => (await tabs()).length).toBe(2);
});

test("a name is composed to its end: of a node, a file, a tab", async () => {
  const title = node("KSampler").locator(".card-title");
  await title.locator(".name").dblclick();
  await page.keyboard.press("Control+a");
  await compose("さんぷらー");
  await composingKey("Enter");
  expect(await page.getByRole("textbox", { name: "Title" }).count()).toBe(1);
  await take("サンプラー");
  await page.keyboard.press("Enter");
  await node("サンプラー").waitFor();

  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+s");
  const name = page.getByRole("dialog").getByRole("textbox", { name: "Name" });
  await name.fill("");
  await compose("なまえ");
  await composingKey("Enter");
  await composingKey("Escape");
  expect(await page.getByRole("dialog").count()).toBe(1);
  await take("名前");
  await page.keyboard.press("Enter");
  await expect.poll(tabs).toEqual(["名前"]);

  await page.locator(".strip").getByRole("tab").first().dblclick();
  await page.keyboard.press("Control+a");
  await compose("たぶ");
  await composingKey("Enter");
  await composingKey("Escape");
  expect(await page.getByRole("textbox", { name: "Name", exact: true }).count()).toBe(1);
  await take("タブ");
  await page.keyboard.press("Enter");
  await expect.poll(tabs).toEqual(["タブ"]);
});

test("a completion is taken by Tab, by Enter only after arrows, by neither while composing", async () => {
  await page.route("**/api/embeddings", (route) => route.fulfill({ json: ["tired-eyes"] }));
  const prompt = node("Prompt").getByRole("textbox");
  const offered = page.getByRole("option", { name: /tired-eyes/ });
  await prompt.fill("");
  await prompt.pressSequentially("tired");
  await offered.waitFor();
  await page.keyboard.press("Enter");
  expect(await prompt.inputValue()).toBe("tired\n");
  await prompt.pressSequentially("tired");
  await offered.waitFor();
  await composingKey("Tab");
  await composingKey("Enter");
  expect(await prompt.inputValue()).toBe("tired\ntired");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect.poll(() => prompt.inputValue()).toBe("tired\nembedding:tired-eyes");
});

test("AltGr writes signs and is no shortcut; Ctrl with Alt still is one", async () => {
  await node("KSampler").locator(".card-title").click();
  const altGr = (key: string, code: string, held = true) =>
    page
      .locator(".canvas")
      .evaluate((canvas, init) => canvas.dispatchEvent(new KeyboardEvent("keydown", init)), {
        key,
        code,
        ctrlKey: held,
        altKey: held,
        modifierAltGraph: true,
        bubbles: true,
      });
  const before = await page.locator(".card").count();
  await altGr("w", "KeyW");
  await altGr("µ", "KeyM");
  await altGr("ń", "KeyN", false);
  expect(await tabs()).toHaveLength(1);
  expect(await page.getByRole("dialog").count()).toBe(0);
  await page.locator(".canvas").focus();
  await runCommand(page, "New workflow");
  await expect.poll(async () => (await tabs()).length).toBe(2);
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+Alt+w");
  await expect.poll(async () => (await tabs()).length).toBe(1);
  expect(await page.locator(".card").count()).toBe(before);
});

test("numbers count in full-width digits and with thousands", async () => {
  const seed = node("KSampler").getByRole("spinbutton", { name: "seed" });
  await seed.click();
  await node("KSampler").getByRole("textbox", { name: "seed" }).fill("１２，３４５");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(seed)).toBe("12345");
  await seed.click();
  await node("KSampler").getByRole("textbox", { name: "seed" }).fill("1,000");
  await page.keyboard.press("Enter");
  await expect.poll(() => text(seed)).toBe("1000");
});

/** Finding, viewing, comparing and deleting results in a real browser, among thousands. */
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { seedHistory } from "./seedHistory";
import { dropFile, openPage, type Studio, startStudio } from "./studio";

const MANY = 3_000;

let studio: Studio;
let page: Page;

eachPage(
  (opened, on) => {
    page = opened;
    studio = on;
  },
  undefined,
  () => startStudio([], (user) => seedHistory(user, MANY)),
);

const dock = () => page.getByRole("region", { name: "Results and queue" });
const grid = () => page.getByRole("listbox", { name: "Results" });
const cell = (place: number) => page.locator(`#result-${place}`);
const node = (title: string) => page.getByRole("group", { name: title, exact: true });

async function openTab(name: string): Promise<void> {
  const tab = dock().getByRole("tab", { name: new RegExp(`^${name}`) });
  if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click();
}

async function openGallery(): Promise<void> {
  await openTab("History");
  await cell(0).locator("img").waitFor();
}

async function setNumber(title: string, name: string, value: string): Promise<void> {
  await node(title).getByRole("spinbutton", { name, exact: true }).click();
  const typing = node(title).getByRole("textbox", { name, exact: true });
  await typing.fill(value);
  await typing.press("Enter");
}

async function smallAndQuick(): Promise<void> {
  await setNumber("Empty Latent Image", "width", "64");
  await setNumber("Empty Latent Image", "height", "64");
  await setNumber("KSampler", "steps", "1");
}

/** The pending prompts, in order. */
/** The prompts of the pending runs; their seeds are shown once a row was in view. */
async function waiting(): Promise<string[]> {
  const texts = await dock().locator(".queue li:not(.now) .excerpt").allTextContents();
  return texts.map((each) => each.replace(/^Seed \d+ · /, ""));
}

const grip = (place: number): Locator => dock().locator(".queue li:not(.now) .grip").nth(place);

test("thousands of results scroll, with only those in sight built", async () => {
  await openGallery();
  const count = () => grid().getByRole("option").count();
  await expect
    .poll(async () => Number(await cell(0).getAttribute("aria-setsize")))
    .toBeGreaterThanOrEqual(MANY);
  const all = Number(await cell(0).getAttribute("aria-setsize"));
  expect(await count()).toBeLessThan(120);
  await cell(0).click();
  await grid().focus();
  await page.keyboard.press("End");
  await cell(all - 1).waitFor();
  await expect.poll(() => cell(all - 1).getAttribute("aria-selected")).toBe("true");
  await cell(all - 2)
    .locator("img")
    .waitFor();
  expect(await count()).toBeLessThan(120);
  // A jump to the middle, as by a scroll bar: its page is loaded, and those passed are not mounted.
  await grid().evaluate((box) => box.scrollTo(0, box.scrollHeight / 2));
  await expect.poll(() => page.locator(".cell img").count()).toBeGreaterThan(8);
  expect(await count()).toBeLessThan(120);
  await page.keyboard.press("Home");
  await page
    .locator(".history-grid .day")
    .first()
    .getByText(/^(Today|Yesterday) \d+$/)
    .waitFor();
});

test("results are found by words, seeds, stars and how they ended", async () => {
  await openGallery();
  const search = page.getByRole("searchbox", { name: "Search the results" });
  const found = page.locator(".filters").getByRole("status");
  await search.fill('"lighthouse at" 101');
  await expect
    .poll(() => grid().getByRole("option").first().getAttribute("aria-label"))
    .toMatch(/lighthouse/);
  await search.fill("100051");
  await expect.poll(() => found.textContent()).toBe("1 result");
  await search.fill("no such words");
  await page.getByText("No run matches this search.").waitFor();
  await dock().getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => search.inputValue()).toBe("");
  await page.getByRole("button", { name: "Starred" }).click();
  await expect.poll(() => found.textContent()).toBe("1 result");
  await page.getByRole("button", { name: "Starred" }).click();
  await page.getByRole("combobox", { name: "Outcome" }).selectOption("failed");
  await page.getByText("KSampler failed: the picture had no size").first().waitFor();
});

test("the lightbox tells what made a result and leafs by keys", async () => {
  await openGallery();
  await cell(0).click();
  await grid().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const box = page.getByRole("dialog", { name: "A result in full size" });
  const facts = box.getByRole("complementary", { name: "How it was made" });
  const shown = facts.getByText(/^10\d{4}$/).first();
  await shown.waitFor();
  const seed = await shown.textContent();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => shown.textContent()).not.toBe(seed);
  const image = box.locator(".room img");
  await expect.poll(() => image.evaluate((each: HTMLImageElement) => each.naturalWidth)).toBe(96);
  await page.keyboard.press("+");
  await expect.poll(() => image.getAttribute("style")).toMatch(/scale\(1\.25\)/);
  await page.keyboard.press("Escape");
  await box.waitFor({ state: "detached" });
  await expect.poll(() => cell(2).getAttribute("class")).toMatch(/\bat\b/);
});

test("two results are compared by a slider that has keys, and by what differs", async () => {
  await openGallery();
  await cell(1).click();
  await cell(2).click({ modifiers: ["Control"] });
  await page.getByRole("toolbar").getByRole("button", { name: "Compare", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Two results compared" });
  const halves = dialog.getByTestId("compare-room").locator(".half");
  await expect.poll(() => halves.count()).toBe(2);
  await dialog.getByRole("slider").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => halves.nth(1).getAttribute("style")).toMatch(/1%/);
  await dialog.getByRole("radio", { name: "Difference" }).click();
  await expect
    .poll(() => halves.nth(1).evaluate((each) => getComputedStyle(each).mixBlendMode))
    .toBe("difference");
  await dialog.getByRole("radio", { name: "Side by side" }).click();
  await dialog.getByTestId("compare-room").hover();
  await page.mouse.wheel(0, -400);
  const images = dialog.locator(".half img");
  await expect.poll(() => images.nth(0).getAttribute("style")).toMatch(/scale\([2-9]/);
  expect(await images.nth(1).getAttribute("style")).toBe(await images.nth(0).getAttribute("style"));
});

test("what differs from the open workflow is listed and marked, live", async () => {
  await openGallery();
  await cell(1).click();
  await page.getByRole("button", { name: "Differences from the open workflow" }).click();
  const list = page.getByRole("complementary", { name: "Differences" });
  await list.getByText(/^No differences/).waitFor();
  // The gallery made the canvas smaller: the graph that filled it is fitted above the run bar
  // again.
  const [lowest, bar] = [
    await node("Picture").boundingBox(),
    await page.locator(".run-bar").boundingBox(),
  ];
  if (lowest === null || bar === null) throw new Error("not on the page");
  expect(lowest.y + lowest.height).toBeLessThanOrEqual(bar.y);
  await setNumber("Empty Latent Image", "width", "192");
  await list.getByText("128").waitFor();
  await list.getByText("192").waitFor();
  await expect.poll(() => page.locator(".difference-mark.changed").count()).toBe(1);
  await node("Negative prompt").locator(".card-title").click();
  await page.keyboard.press("Delete");
  await list.getByRole("heading", { name: /^Removed 1/ }).waitFor();
  await list.getByRole("heading", { name: /^Wires removed 2/ }).waitFor();
  const gone = page.locator(".difference-wires path.removed");
  await expect.poll(() => gone.count()).toBe(2);
  expect(await gone.first().getAttribute("d")).toMatch(/^M.*C/);
  // In the place of the inspector, beside the canvas, and not over it.
  const [listBox, canvasBox] = [
    await list.boundingBox(),
    await page.locator(".canvas").boundingBox(),
  ];
  if (listBox === null || canvasBox === null) throw new Error("not on the page");
  expect(listBox.x).toBeGreaterThanOrEqual(canvasBox.x + canvasBox.width);
  expect(await page.getByRole("complementary", { name: "Inspector" }).count()).toBe(0);
  await expect
    .poll(() => page.locator(".difference-mark.removed").textContent())
    .toBe("Negative prompt");
  await list.getByRole("button", { name: "Empty Latent Image" }).click();
  await expect.poll(() => page.locator(".react-flow__node.selected").count()).toBe(1);
  await list.getByRole("button", { name: "Close" }).click();
  await expect.poll(() => page.locator(".difference-mark").count()).toBe(0);
});

test("results are forgotten and taken back; a star stays", async () => {
  await openGallery();
  const first = await cell(1).getAttribute("aria-label");
  const second = await cell(2).getAttribute("aria-label");
  await cell(1).click();
  await cell(2).click({ modifiers: ["Shift"] });
  await grid().focus();
  await page.keyboard.press("Delete");
  const question = page.getByRole("dialog", { name: "Remove 2 results?" });
  await question.getByRole("button", { name: "Remove", exact: true }).click();
  await page.locator(".cell.leaving").first().waitFor();
  await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
  await expect.poll(() => cell(1).getAttribute("aria-label")).toBe(first);
  await cell(1).click();
  await page.getByRole("toolbar").getByRole("button", { name: "Remove", exact: true }).click();
  await page
    .getByRole("dialog", { name: "Remove this result?" })
    .getByRole("button", { name: "Remove", exact: true })
    .click();
  await page.locator(".cell.leaving").first().waitFor();
  // Another search commits the announced deletion at once.
  await page.getByRole("button", { name: "Starred" }).click();
  await expect.poll(() => grid().getByRole("option").count()).toBe(1);
  await page.getByRole("button", { name: "Starred" }).click();
  await expect.poll(() => cell(1).getAttribute("aria-label")).toBe(second);
  await cell(1).click();
  await page.getByRole("button", { name: "Add a star" }).click();
  await page.reload();
  await openGallery();
  await cell(1).getByLabel("Starred").waitFor();
});

test("the queue is held back, put in order by keys and by dragging, and cancelled", async () => {
  await smallAndQuick();
  await openTab("Queue");
  await dock().getByRole("button", { name: "Pause" }).click();
  await dock().getByText("The queue is paused", { exact: true }).waitFor();
  for (const [index, words] of ["one", "two", "three", "four"].entries()) {
    await node("Prompt").getByRole("textbox").fill(words);
    await page.keyboard.press("Control+Enter");
    await expect.poll(async () => (await waiting()).length).toBe(index + 1);
  }
  expect(await waiting()).toEqual(["one", "two", "three", "four"]);
  await expect
    .poll(() => dock().locator(".queue li .excerpt").first().textContent())
    .toMatch(/^Seed \d+ · one$/);
  const drawings = dock().locator(".queue li:not(.now)").getByRole("img", { name: "7 nodes" });
  // Only those in view, as the dock may be low.
  await expect.poll(() => drawings.count()).toBeGreaterThan(1);
  await grip(2).focus();
  await page.keyboard.press("ArrowUp");
  await expect.poll(waiting).toEqual(["one", "three", "two", "four"]);
  await dock()
    .getByRole("button", { name: /^Run .* next$/ })
    .nth(3)
    .click();
  await expect.poll(waiting).toEqual(["four", "one", "three", "two"]);
  const rows = dock().locator(".queue li:not(.now)");
  await rows.nth(3).dragTo(rows.nth(1));
  await expect.poll(waiting).toEqual(["four", "two", "one", "three"]);
  await dock()
    .getByRole("button", { name: /^Cancel / })
    .filter({ hasNotText: "all" })
    .nth(1)
    .click();
  await expect.poll(waiting).toEqual(["four", "one", "three"]);

  await page.reload();
  await openTab("Queue");
  await expect.poll(waiting).toEqual(["four", "one", "three"]);
  await dock().getByRole("button", { name: "Cancel all" }).click();
  await dock()
    .getByText(/^The queue is empty and paused/)
    .waitFor();
  await dock().getByRole("button", { name: "Resume" }).click();
  await dock().getByRole("button", { name: "Pause" }).waitFor();
});

test("a batch over values becomes a grid with its axes", async () => {
  await smallAndQuick();
  await page.keyboard.press("Control+Shift+B");
  const dialog = page.getByRole("dialog", { name: "Run a batch" });
  await dialog.getByLabel("Input to vary").selectOption({ label: "KSampler · cfg" });
  await dialog.getByLabel("Values").fill("nonsense");
  await dialog.getByText("nonsense is not a number.").waitFor();
  await dialog.getByLabel("Values").fill("2..3 step 1");
  await dialog.getByRole("button", { name: "Vary another input" }).click();
  await dialog.getByLabel("Input to vary").nth(1).selectOption({ label: "Prompt · text" });
  await dialog.getByLabel("Values").nth(1).fill("a red boat\na blue boat");
  await dialog.getByRole("button", { name: "Queue 4 runs" }).click();
  const table = page.getByRole("table", { name: "The batch as a grid" });
  await expect.poll(() => table.locator("img").count(), { timeout: 180_000 }).toBe(4);
  expect(await table.getByRole("columnheader").allTextContents()).toEqual([
    "Prompt · text",
    "KSampler · cfg2",
    "KSampler · cfg3",
  ]);
  expect(await table.getByRole("rowheader").allTextContents()).toEqual([
    "a red boat",
    "a blue boat",
  ]);
  // The document itself is unchanged.
  expect(
    await node("KSampler").getByRole("spinbutton", { name: "cfg" }).getAttribute("aria-valuetext"),
  ).toBe("4.0");
}, 220_000);

test("a result that is dragged onto the canvas becomes a node that loads it", async () => {
  await openGallery();
  await cell(1)
    .locator("img")
    .dragTo(page.locator(".canvas"), {
      targetPosition: { x: 80, y: 60 },
    });
  const image = node("Load Image").locator("img").first();
  await image.waitFor({ state: "attached" });
  expect(await image.getAttribute("src")).toContain("type=output");
  await expect
    .poll(() => image.evaluate((each: HTMLImageElement) => each.naturalWidth))
    .toBeGreaterThan(0);
});

test("a result that is dragged onto a node that loads pictures is loaded by it", async () => {
  await openGallery();
  await page.keyboard.press("Escape");
  await dropFile(page, {
    name: "load.json",
    type: "application/json",
    content: Buffer.from(
      JSON.stringify({
        nodes: [
          {
            id: 1,
            type: "LoadImage",
            pos: [0, 0],
            size: [260, 320],
            widgets_values: ["", "image"],
          },
        ],
        links: [],
        version: 0.4,
      }),
    ),
  });
  const target = node("Load Image");
  await target.waitFor();
  const source = cell(1).locator("img");
  const name = new URL((await source.getAttribute("src")) ?? "", studio.address).searchParams.get(
    "filename",
  );
  await source.dragTo(target, { targetPosition: { x: 60, y: 14 } });
  await expect
    .poll(() => target.locator("img").first().getAttribute("src"))
    .toContain(`filename=${name}`);
  expect(await page.getByRole("group", { name: "Load Image", exact: true }).count()).toBe(1);
});

test("a node that shows two pictures shows them against each other", async () => {
  // No node here shows two pictures, so the server's message about one is changed to two.
  await page.context().close();
  page = await openPage(studio, (opened) =>
    opened.routeWebSocket(/\/ws/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((message) => {
        if (typeof message !== "string" || !message.includes('"executed"')) socket.send(message);
        else socket.send(message.replace(/"images": ?(\[[^\]]*\])/, '"a_images":$1,"b_images":$1'));
      });
    }),
  );
  await smallAndQuick();
  await page.keyboard.press("Control+Enter");
  const pair = node("Picture").locator(".wipe-pair");
  await pair.waitFor({ state: "attached", timeout: 90_000 });
  await expect.poll(() => pair.locator("img").count()).toBe(2);
  const other = pair.locator("img").nth(1);
  await pair.getByRole("slider").focus();
  await page.keyboard.press("End");
  await expect.poll(() => other.getAttribute("style")).toMatch(/100%/);
  await pair.getByRole("slider").focus();
  await page.keyboard.press("Home");
  await expect.poll(() => other.getAttribute("style")).toMatch(/ 0%\)/);
  await node("Picture").locator(".card-title").click();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.locator(".wipe-pair").waitFor();
  await pair.getByRole("button", { name: "View at full size" }).press("Enter");
  await page.getByRole("dialog").locator("img").first().waitFor();
});

test("the height of the dock is dragged, moved by keys and remembered", async () => {
  const edge = page.getByRole("separator", { name: "Height of the results" });
  const height = async () => Number(await edge.getAttribute("aria-valuenow"));
  const before = await height();
  const box = await edge.boundingBox();
  if (box === null) throw new Error("there is no edge");
  await page.mouse.move(box.x + 200, box.y + 4);
  await page.mouse.down();
  await page.mouse.move(box.x + 200, box.y - 96, { steps: 4 });
  await page.mouse.up();
  await expect.poll(height).toBeGreaterThan(before + 80);
  const dragged = await height();
  await edge.focus();
  await page.keyboard.press("ArrowUp");
  await expect.poll(height).toBe(dragged + 24);
  await page.reload();
  await expect.poll(height).toBe(dragged + 24);
});

test("a result is deleted with its files", async () => {
  await openGallery();
  const source = new URL((await cell(1).locator("img").getAttribute("src")) ?? "", studio.address);
  source.searchParams.delete("preview");
  expect((await page.request.get(source.href)).status()).toBe(200);
  await cell(1).click();
  await grid().focus();
  await page.keyboard.press("Delete");
  await page
    .getByRole("dialog", { name: "Remove this result?" })
    .getByRole("button", { name: "Remove and delete the files" })
    .click();
  await page.locator(".cell.leaving").first().waitFor();
  // Leaving the page commits the deletion.
  await page.reload();
  await expect.poll(async () => (await page.request.get(source.href)).status()).toBe(404);
});

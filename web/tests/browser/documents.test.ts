/** Documents in use: saving, closing, renaming, reordering, changes by other windows. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { PIXEL } from "./samples";
import { dropFile, openPage, type Studio } from "./studio";

let studio: Studio;
let page: Page;

eachPage((opened, on) => {
  page = opened;
  studio = on;
});

const strip = () => page.locator(".strip");
const prompt = (on = page) =>
  on.getByRole("group", { name: "Prompt", exact: true }).getByRole("textbox");
const tab = (name: string, on = page) => on.getByRole("tab", { name, exact: true });
const names = () => strip().getByRole("tab").allTextContents();
const button = (name: string, on = page) => on.getByRole("button", { name, exact: true });

async function write(text: string, on = page): Promise<void> {
  await prompt(on).fill(text);
  await on.keyboard.press("Escape");
}

async function saveAs(name: string): Promise<void> {
  await page.keyboard.press("Control+s");
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill(name);
  await page.keyboard.press("Enter");
  await tab(name.slice(name.lastIndexOf("/") + 1)).waitFor();
  await expect.poll(() => page.locator(".tab.active .dot").count()).toBe(0);
}

function said(name: string): Promise<string> {
  return page.request
    .get(`${studio.address}/userdata/${encodeURIComponent(`workflows/${name}.json`)}`)
    .then((answer) => (answer.ok() ? answer.text() : ""));
}

test("what is closed without saving comes back, with its undo", async () => {
  await write("a lighthouse");
  await button("Close Text to image").click();
  await page.getByRole("status").getByText("was not saved").waitFor();
  expect(await names()).toEqual(["Untitled"]);
  await page.keyboard.press("Alt+Shift+W");
  await expect.poll(() => prompt().inputValue()).toBe("a lighthouse");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => prompt().inputValue()).not.toBe("a lighthouse");

  await page.keyboard.press("Control+Shift+Z");
  await button("Close Text to image").click();
  await page.reload();
  await page.getByRole("tab", { name: "Untitled" }).waitFor();
  await button("Workflows").click();
  await page.getByText("Closed recently").click();
  await button("Open Text to image again").click();
  await expect.poll(() => prompt().inputValue()).toBe("a lighthouse");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => prompt().inputValue()).not.toBe("a lighthouse");
});

test("a number that is typed and goes out of sight counts, in the document where it was typed", async () => {
  const sampler = () => page.getByRole("group", { name: "KSampler", exact: true });
  await sampler().getByRole("spinbutton", { name: "steps", exact: true }).click();
  await sampler().getByRole("textbox", { name: "steps", exact: true }).fill("7");
  // When zoomed out there are no fields.
  const at = await sampler().locator(".card-title").boundingBox();
  if (at === null) throw new Error("There is no sampler.");
  await page.mouse.move(at.x + 20, at.y + 5);
  for (let turn = 0; turn < 40 && (await page.locator(".card").count()) > 0; turn += 1) {
    await page.mouse.wheel(0, 300);
  }
  await expect.poll(() => page.locator(".card").count()).toBe(0);
  for (let turn = 0; turn < 40 && (await page.locator(".card").count()) === 0; turn += 1) {
    await page.mouse.wheel(0, -300);
  }
  await expect
    .poll(() =>
      sampler()
        .getByRole("spinbutton", { name: "steps", exact: true })
        .getAttribute("aria-valuetext"),
    )
    .toBe("7");
});

test("a picture that arrives late lies in the document it was dropped on, as one step", async () => {
  let arrive = () => {};
  const sent = new Promise<void>((done) => {
    arrive = done;
  });
  await page.route("**/upload/image", async (route) => {
    await sent;
    await route.continue();
  });
  // The file is read late, too.
  await page.evaluate(() => {
    const { arrayBuffer } = Blob.prototype;
    Blob.prototype.arrayBuffer = async function () {
      while (document.querySelectorAll(".tab").length < 2) {
        await new Promise((done) => setTimeout(done, 20));
      }
      return arrayBuffer.call(this);
    };
  });
  await dropFile(page, { name: "late.png", type: "image/png", content: PIXEL });
  await button("New workflow").click();
  await tab("Untitled").waitFor();
  arrive();
  await tab("Text to image").click();
  const loader = page.getByRole("group", { name: "Load Image", exact: true });
  await page.locator(".canvas").focus();
  await expect
    .poll(async () => {
      await page.keyboard.press("Home");
      return await loader.count();
    })
    .toBe(1);
  await page.keyboard.press("Control+z");
  await expect.poll(() => loader.count()).toBe(0);
  await tab("Untitled").click();
  await page.getByText("Double-click to add a node").waitFor();
});

test("all files of a drop are opened, beside the canvas too, and never by the browser", async () => {
  const node = { id: 1, type: "Note", pos: [0, 0], size: [200, 100], widgets_values: ["one"] };
  const text = JSON.stringify({ nodes: [node], links: [], groups: [], version: 0.4 });
  const dropOn = (place: string, files: readonly string[]) =>
    page.evaluate(
      ({ place, files, text }) => {
        const dataTransfer = new DataTransfer();
        for (const name of files) dataTransfer.items.add(new File([text], name));
        const passed = ["dragover", "drop"].map((kind) => {
          const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
          return document.querySelector(place)?.dispatchEvent(event);
        });
        return passed.every((each) => each === false);
      },
      { place, files, text },
    );
  expect(await dropOn(".strip", ["a.json", "b.json"])).toBe(true);
  await expect.poll(names).toEqual(["Text to image", "a", "b"]);
  expect(await dropOn(".canvas", ["c.json", "d.json"])).toBe(true);
  await expect.poll(names).toEqual(["Text to image", "a", "b", "c", "d"]);
});

test("tabs are put in order, renamed and closed by the middle button", async () => {
  await button("New workflow").click();
  await button("New workflow").click();
  expect(await names()).toEqual(["Text to image", "Untitled", "Untitled"]);
  await tab("Text to image").dblclick();
  await strip().getByRole("textbox", { name: "Name" }).fill("First");
  await page.keyboard.press("Enter");
  await tab("First").waitFor();
  const from = await tab("First").boundingBox();
  const to = await strip().getByRole("tab").nth(2).boundingBox();
  if (from === null || to === null) throw new Error("There are no tabs.");
  await page.mouse.move(from.x + 10, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + 10, { steps: 12 });
  await page.mouse.up();
  await expect.poll(names).toEqual(["Untitled", "Untitled", "First"]);
  const last = await tab("First").boundingBox();
  if (last === null) throw new Error("There is no tab.");
  await page.mouse.move(last.x + 10, last.y + 10);
  await page.mouse.down();
  await page.mouse.move(from.x + from.width / 2, from.y + 10, { steps: 12 });
  await expect.poll(names).toEqual(["First", "Untitled", "Untitled"]);
  await page.keyboard.press("Escape");
  await expect.poll(names).toEqual(["Untitled", "Untitled", "First"]);
  await page.mouse.move(from.x + 10, from.y + 10, { steps: 4 });
  await page.mouse.up();
  expect(await names()).toEqual(["Untitled", "Untitled", "First"]);
  await page.reload();
  await expect.poll(names).toEqual(["Untitled", "Untitled", "First"]);
  await strip().getByRole("tab").first().click({ button: "middle" });
  await expect.poll(names).toEqual(["Untitled", "First"]);
  await tab("First").focus();
  await page.keyboard.press("ArrowLeft");
  await expect
    .poll(() => strip().getByRole("tab", { selected: true }).textContent())
    .toBe("Untitled");
});

test("a file that others changed is not replaced without a word", async () => {
  const name = `shared ${Date.now()}`;
  await write("mine");
  await saveAs(name);
  const other = await openPage(studio);
  await button("Workflows", other).click();
  await button(name, other).click();
  await tab(name, other).waitFor();
  await write("theirs", other);
  await other.keyboard.press("Control+s");
  await expect.poll(() => said(name)).toContain("theirs");
  await other.context().close();

  await write("mine again");
  await page.keyboard.press("Control+s");
  const banner = page.getByRole("alert").filter({ hasText: "changed by another window" });
  await banner.waitFor();
  expect(await said(name)).toContain("theirs");
  await banner.getByRole("button", { name: "Open the other version" }).click();
  await expect.poll(() => prompt().inputValue()).toBe("theirs");
  await tab(name).click();
  await banner.getByRole("button", { name: "Save both" }).click();
  await tab(`${name} (2)`).waitFor();
  expect(await said(`${name} (2)`)).toContain("mine again");
  expect(await said(name)).toContain("theirs");
  await expect.poll(() => banner.count()).toBe(0);
});

test("what is saved again before the first save is answered is no conflict with itself", async () => {
  const name = `twice ${Date.now()}`;
  await write("one");
  await saveAs(name);
  const held: (() => void)[] = [];
  await page.route("**/userdata/**", async (route) => {
    if (route.request().method() === "POST" && held.length === 0) {
      await new Promise<void>((done) => held.push(done));
    }
    await route.continue();
  });
  await prompt().fill("two");
  await page.keyboard.press("Control+s");
  await expect.poll(() => held.length).toBe(1);
  await prompt().fill("three");
  await page.keyboard.press("Control+s");
  for (const done of held) done();
  await expect.poll(() => said(name)).toContain("three");
  await expect.poll(() => page.locator(".tab.active .dot").count()).toBe(0);
  expect(await page.getByRole("alert").filter({ hasText: "another window" }).count()).toBe(0);
});

test("a name that is taken is asked about, and earlier versions are taken up again", async () => {
  const name = `versions ${Date.now()}`;
  await write("the first");
  await saveAs(name);
  await write("the second");
  await page.keyboard.press("Control+s");
  await expect.poll(() => said(name)).toContain("the second");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("earlier versions");
  await page.keyboard.press("Enter");
  const versions = page.getByRole("dialog", { name: `Versions of ${name}` });
  await expect.poll(() => versions.getByRole("listitem").count()).toBe(2);
  await versions.getByRole("listitem").nth(1).getByRole("button").click();
  await versions.getByText("1 node changed").waitFor();
  await versions.getByRole("button", { name: "Restore this version" }).click();
  await expect.poll(() => prompt().inputValue()).toBe("the first");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => prompt().inputValue()).toBe("the second");

  await page.keyboard.press("Control+Shift+S");
  await page.getByRole("dialog", { name: "Save the workflow as" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await button("New workflow").click();
  await page.keyboard.press("Control+s");
  await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).fill(name);
  await page.keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: `There is a workflow called ${name} already` });
  await question.getByRole("button", { name: "Cancel" }).click();
  expect(await said(name)).toContain("the second");
});

test("a name that no file can have is asked for again, with why", async () => {
  await page.keyboard.press("Control+s");
  const asked = page.getByRole("dialog");
  await asked.getByRole("textbox", { name: "Name" }).fill(".hidden");
  await page.keyboard.press("Enter");
  await asked.getByText(".hidden is not a valid file name.").waitFor();
  expect(await asked.getByRole("textbox", { name: "Name" }).inputValue()).toBe(".hidden");
  const name = `shown ${Date.now()}`;
  await asked.getByRole("textbox", { name: "Name" }).fill(name);
  await page.keyboard.press("Enter");
  await tab(name).waitFor();
  expect(await said(name)).toContain("nodes");
});

test("saved workflows are renamed, deleted and brought back; broken ones are told by name", async () => {
  const name = `list ${Date.now()}`;
  await saveAs(`sea/${name}`);
  await page.request.post(
    `${studio.address}/userdata/${encodeURIComponent("workflows/empty.json")}?overwrite=true`,
    { data: "" },
  );
  await button("Workflows").click();
  await page.getByRole("textbox", { name: "Search workflows" }).fill(name);
  const row = page.locator(".file").filter({ hasText: name });
  await row.hover();
  await button(`Rename sea/${name}`).click();
  await page.getByRole("textbox", { name: `Name of sea/${name}` }).fill(`land/${name}`);
  await page.keyboard.press("Enter");
  await page.getByText("land").first().waitFor();
  expect(await said(`land/${name}`)).toContain("nodes");
  await row.hover();
  await button(`Delete land/${name}`).click();
  await expect.poll(() => row.count()).toBe(0);
  expect(await said(`land/${name}`)).toBe("");
  await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
  await row.waitFor();
  expect(await said(`land/${name}`)).toContain("nodes");

  await page.getByRole("textbox", { name: "Search workflows" }).fill("empty");
  await button("empty, empty file").click();
  await page.getByRole("status").getByText("empty is an empty file").waitFor();
  expect(await said("empty")).toBe("");
});

test("a second window has its own documents, and takes over those of one that is gone", async () => {
  await write("in the first window");
  const context = page.context();
  await expect
    .poll(async () => {
      const answer = await page.request.get(`${studio.address}/calotype/journals`);
      const listed = (await answer.json()) as { size: number; alive: boolean }[];
      return listed.some((each) => each.alive);
    })
    .toBe(true);
  const second = await context.newPage();
  await second.goto(studio.address);
  await second.getByText("Another window has a workflow open. This window has its own.").waitFor();
  expect(await prompt(second).inputValue()).not.toBe("in the first window");
  await write("in the second window", second);
  await page.reload();
  await expect.poll(() => prompt().inputValue()).toBe("in the first window");
  await second.reload();
  await expect.poll(() => prompt(second).inputValue()).toBe("in the second window");
});

test("what an earlier Calotype kept in the browser is taken over, once", async () => {
  await page.context().close();
  page = await openPage(studio, async (made) => {
    await made.addInitScript(() => {
      if (localStorage.getItem("seeded") !== null) return;
      localStorage.setItem("seeded", "yes");
      const node = { id: 1, type: "Note", pos: [0, 0], size: [200, 100], widgets_values: ["old"] };
      const workflow = { nodes: [node], links: [], groups: [], version: 0.4 };
      const tabs = [{ id: "1", name: "Of old", path: null, dirty: true, workflow }];
      localStorage.setItem("calotype.draft", JSON.stringify({ active: 0, tabs }));
    });
  });
  expect(await names()).toEqual(["Of old"]);
  expect(await page.evaluate(() => localStorage.getItem("calotype.draft"))).toBeNull();
  await page.reload();
  await expect.poll(names).toEqual(["Of old"]);
});

test("nothing that is asked for at the start is refused", async () => {
  await page.context().close();
  const refused: string[] = [];
  page = await openPage(studio, async (opened) => {
    opened.on("response", (answer) => {
      if (answer.status() >= 400) refused.push(answer.url());
    });
  });
  await page.waitForLoadState("networkidle");
  expect(refused).toEqual([]);
});

test("what an earlier Calotype kept on the server is taken over, once", async () => {
  await page.context().close();
  const node = { id: 1, type: "Note", pos: [0, 0], size: [200, 100], widgets_values: ["old"] };
  const workflow = { nodes: [node], links: [], groups: [], version: 0.4 };
  const tabs = [{ name: "Kept there", path: null, dirty: true, workflow }];
  const file = `${studio.address}/api/userdata/${encodeURIComponent("drafts/session.json")}`;
  const put = await fetch(file, { method: "POST", body: JSON.stringify({ active: 0, tabs }) });
  expect(put.status).toBe(200);
  page = await openPage(studio);
  expect(await names()).toEqual(["Kept there"]);
  expect((await fetch(file)).status).toBe(404);
});

test("a part of the editor that cannot be fetched is told of, and tried again", async () => {
  const away = "**/assets/Settings*.js";
  await page.route(away, (route) => route.abort());
  await page.keyboard.press("Control+,");
  const told = page.getByRole("alert").filter({ hasText: "could not be loaded" });
  await told.waitFor();
  expect(await page.locator(".card").count()).toBeGreaterThan(1);
  await told.getByRole("button", { name: "Try again" }).click();
  await told.waitFor();
  await page.unroute(away);
  await told.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("dialog", { name: "Settings" }).waitFor();
  expect(await told.count()).toBe(0);
});

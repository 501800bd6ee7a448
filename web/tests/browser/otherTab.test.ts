/** An operation begun in one document continues there when another one is shown meanwhile. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { eachPage } from "./eachPage";
import { PIXEL, workflowOf } from "./samples";
import { dropFile } from "./studio";

let page: Page;

eachPage((opened) => {
  page = opened;
});

/** Holds the page's requests to a URL until the returned function is called. */
async function held(address: string): Promise<() => void> {
  let goOn: () => void = () => undefined;
  const until = new Promise<void>((done) => {
    goOn = done;
  });
  await page.route(address, async (route) => {
    await until;
    await route.continue();
  });
  return goOn;
}

test("each press of Run runs the document it was pressed in", async () => {
  const ran: number[] = [];
  page.on("request", (request) => {
    if (request.method() !== "POST" || !/\/prompt$/.test(request.url())) return;
    ran.push(request.postDataJSON().extra_data.extra_pnginfo.workflow.nodes.length);
  });
  const goOn = await held("**/calotype/check*");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const preview = { type: "PreviewAny" };
  await dropFile(page, {
    name: "other.json",
    type: "application/json",
    content: Buffer.from(JSON.stringify(workflowOf([preview, preview]))),
  });
  await page.getByRole("tab", { name: "other", selected: true }).waitFor();
  goOn();
  await expect.poll(() => ran).toEqual([7, 7]);
});

test("a file that arrives later is that of the field it was chosen for", async () => {
  await dropFile(page, { name: "first.png", type: "image/png", content: PIXEL });
  const loader = page.getByRole("group", { name: "Load Image", exact: true });
  await loader.waitFor();
  const goOn = await held("**/upload/image");
  await loader
    .locator("input[type=file]")
    .setInputFiles({ name: "second.png", mimeType: "image/png", buffer: PIXEL });
  await loader.getByRole("progressbar").waitFor();
  await page.getByRole("button", { name: "New workflow" }).click();
  await loader.waitFor({ state: "detached" });
  goOn();
  await page.getByRole("tab", { name: /Text to image/ }).click();
  await loader.getByRole("button", { name: "image second.png" }).waitFor();
});

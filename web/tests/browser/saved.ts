/** The open workflow as it would be saved, read from a download of the page. */
import type { Page } from "playwright-core";

export async function savedFrom<Workflow>(page: Page): Promise<Workflow> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page
      .getByRole("button", { name: /Download/ })
      .first()
      .click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

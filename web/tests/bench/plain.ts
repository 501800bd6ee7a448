/** Builds and serves the plain React Flow page that the studio is measured against. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import react from "@vitejs/plugin-react";
import type { Browser, Page } from "playwright-core";
import { build, preview } from "vite";

const ROOT = resolve(import.meta.dirname, "plain");

interface PlainPage {
  open(browser: Browser, nodes: number): Promise<Page>;
  close(): Promise<void>;
}

export async function servePlain(): Promise<PlainPage> {
  const outDir = mkdtempSync(join(tmpdir(), "calotype-plain-"));
  const shared = { root: ROOT, configFile: false, logLevel: "error" } as const;
  await build({ ...shared, plugins: [react()], build: { outDir, emptyOutDir: true } });
  const server = await preview({
    ...shared,
    build: { outDir },
    preview: { host: "127.0.0.1", port: 0 },
  });
  const [address] = server.resolvedUrls?.local ?? [];
  if (address === undefined) throw new Error("The plain page has no address.");
  return {
    open: async (browser, nodes) => {
      const context = await browser.newContext({ viewport: { width: 1600, height: 900 } });
      const page = await context.newPage();
      await page.goto(`${address}?nodes=${nodes}`);
      await page
        .locator(".react-flow__node")
        .nth(nodes - 1)
        .waitFor({ state: "attached" });
      return page;
    },
    close: async () => {
      await server.close();
      rmSync(outDir, { recursive: true, force: true });
    },
  };
}

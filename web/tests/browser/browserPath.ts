/** The browser for these tests. */
import { existsSync } from "node:fs";

/**
 * The headless shell is the same engine without a window, which no test needs: a page takes less
 * than half of the processor time.
 */
const BROWSERS = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** `CALOTYPE_BROWSER` overrides it. */
export function browserPath(): string {
  const path = process.env.CALOTYPE_BROWSER ?? BROWSERS.find(existsSync);
  if (path === undefined) {
    throw new Error("There is no Chromium: apt-get install chromium-headless-shell");
  }
  return path;
}

/** Firefox, in which the main ways are tested too; `CALOTYPE_FIREFOX` overrides it. Null for none. */
export function firefoxPath(): string | null {
  const path =
    process.env.CALOTYPE_FIREFOX ?? ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);
  if (path === undefined && process.env.CI !== undefined) {
    throw new Error("There is no Firefox: apt-get install firefox-esr");
  }
  return path ?? null;
}

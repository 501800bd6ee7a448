/** The browser that these tests drive. */
import { existsSync } from "node:fs";

/**
 * The headless shell is the same engine without the window around the page, which is never looked at
 * here: a page takes under half of the processor's time.
 */
const BROWSERS = [
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** `CALOTYPE_BROWSER` names another one. */
export function browserPath(): string {
  const path = process.env.CALOTYPE_BROWSER ?? BROWSERS.find(existsSync);
  if (path === undefined) {
    throw new Error("There is no Chromium: apt-get install chromium-headless-shell");
  }
  return path;
}

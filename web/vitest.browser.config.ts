import { defineConfig } from "vitest/config";

/** Against a real server in a real browser; see tests/browser/studio.ts. */
export default defineConfig({
  test: {
    include: ["tests/browser/**/*.test.ts"],
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});

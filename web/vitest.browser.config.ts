import { defineConfig } from "vitest/config";

/** Against a real server in a real browser; see tests/browser/studio.ts. */
export default defineConfig({
  test: {
    include: ["tests/browser/**/*.test.ts"],
    // Each file has a server, a folder and a browser of its own, and often waits for them.
    maxWorkers: 3,
    // A condition is waited for; how long a slow machine takes is not what is tested.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});

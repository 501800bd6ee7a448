import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/browser/**"],
    maxWorkers: 1,
    // How long a slow machine takes is not what is tested.
    testTimeout: 60_000,
  },
});

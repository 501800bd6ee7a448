import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { licences } from "./licences";

/** Where a running Calotype answers, for `npm run dev`. */
const server = process.env.CALOTYPE_SERVER ?? "http://127.0.0.1:8188";

const { whole, within } = licences();

export default defineConfig({
  plugins: [react(), whole],
  worker: { plugins: within },
  base: "./",
  build: {
    target: "es2023",
    outDir: "dist",
    emptyOutDir: true,
    reportCompressedSize: true,
    // The names of what each later part imports would take 1.5 kB of the first file.
    modulePreload: false,
    rolldownOptions: {
      output: {
        // What the first screen needs is one file: it packs smaller than the parts that would be
        // cut out of it for what comes later.
        codeSplitting: { groups: [{ name: "first", test: /src\/main\.tsx$/ }] },
      },
    },
  },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true },
      "/calotype": { target: server, changeOrigin: true },
      "/ws": { target: server, ws: true, changeOrigin: true },
    },
  },
});

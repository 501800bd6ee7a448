/**
 * A workflow whose model is missing, in a real browser: the list of its needs, the host allowed,
 * the model downloaded from a local https server, and the problem gone. At a desk and on a phone.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dropFile, openPage, SEVEN_NODES, type Studio, startStudio } from "./studio";

const ROOT = resolve(import.meta.dirname, "../../..");
const SERVER = join(ROOT, "tests/dry/downloads/file_server.py");
const DEMO = join(ROOT, "models/checkpoints/calotype-demo.safetensors");
/** Set, a folder where pictures of the dialog are put. */
const PICTURES = process.env.CALOTYPE_NEEDS_PICTURES;

let folder: string;
let files: ChildProcess;
let port: number;
let studio: Studio;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "calotype-needs-"));
  mkdirSync(join(folder, "served"));
  mkdirSync(join(folder, "models/checkpoints/own"), { recursive: true });
  for (const name of ["desk", "phone"]) {
    copyFileSync(DEMO, join(folder, `served/needed-${name}.safetensors`));
  }
  copyFileSync(DEMO, join(folder, "models/checkpoints/own/Elsewhere.safetensors"));
  files = spawn(process.env.CALOTYPE_PYTHON ?? "python", [SERVER, join(folder, "served"), "0.01"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said = await new Promise<string>((done) =>
    files.stdout?.once("data", (text) => done(String(text))),
  );
  const started: { port: number; certificate: string } = JSON.parse(said);
  port = started.port;
  process.env.SSL_CERT_FILE = started.certificate;
  writeEncoder(join(folder, "models/text_encoders"));
  writePack(join(folder, "packs/Fancy"));
  const folders = ["--models-directory", join(folder, "models")];
  studio = await startStudio([...folders, "--custom-nodes-directory", join(folder, "packs")]);
});

afterAll(async () => {
  await studio?.close();
  files?.stdin?.end();
  rmSync(folder, { recursive: true, force: true });
});

/** The header of a file of UMT5, which needs a tokenizer that is not part of the program. */
function writeEncoder(place: string): void {
  const mark = "encoder.block.0.layer.0.SelfAttention.q.weight";
  const entry = { dtype: "F16", shape: [256_384, 4096], data_offsets: [0, 0] };
  const header = Buffer.from(JSON.stringify({ "shared.weight": entry, [mark]: entry }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "umt5.safetensors"), Buffer.concat([length, header]));
}

/** A pack of one node, version 1.9.0. */
function writePack(place: string): void {
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "pyproject.toml"), '[project]\nname = "fancy"\nversion = "1.9.0"\n');
  writeFileSync(
    join(place, "__init__.py"),
    `class Fancy:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "run", "fancy", True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        return ()


NODE_CLASS_MAPPINGS = {"Fancy": Fancy}
`,
  );
}

/** The tests' first workflow with another checkpoint, and with what the file says of it. */
function wanting(name: string): Buffer {
  const workflow = JSON.parse(readFileSync(SEVEN_NODES, "utf8"));
  const url = `https://127.0.0.1:${port}/${name}`;
  for (const node of workflow.nodes) {
    if (node.type !== "CheckpointLoaderSimple") continue;
    node.widgets_values = [name];
    node.properties = { models: [{ name, url, directory: "checkpoints" }] };
  }
  return Buffer.from(JSON.stringify(workflow));
}

const dialog = (page: Page) => page.getByRole("dialog", { name: "What this workflow needs" });
const press = (page: Page, name: string | RegExp) =>
  dialog(page).getByRole("button", { name }).click();

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

async function open(page: Page, name: string): Promise<void> {
  await dropFile(page, { name: "wanting.json", type: "application/json", content: wanting(name) });
  await page.getByRole("button", { name: "Show what is missing" }).click();
  await dialog(page).waitFor();
}

test("a missing model is downloaded after its host was allowed, and the problem is gone", async () => {
  const page = await openPage(studio);
  const name = "needed-desk.safetensors";
  const target = join(folder, "models/checkpoints", name);
  await open(page, name);
  const host = `127.0.0.1:${port}`;
  await dialog(page).getByText("models/checkpoints", { exact: true }).waitFor();
  await dialog(page)
    .getByText(`Goes into ${join(folder, "models/checkpoints")}`)
    .waitFor();
  await picture(page, "1-missing");
  await press(page, `Allow ${host}`);
  await press(page, "Download");
  // The host is this machine, which needs a permission of its own.
  const allow = dialog(page).getByRole("button", { name: `Allow ${host} in your own network` });
  await allow.waitFor();
  await picture(page, "2-asks");
  expect(existsSync(target)).toBe(false);
  await allow.click();
  await dialog(page).getByRole("progressbar", { name }).waitFor();
  await dialog(page)
    .getByText(/ MB per second|kB per second/)
    .waitFor();
  await picture(page, "3-running");
  await press(page, "Pause");
  await dialog(page).getByText("Paused.").waitFor();
  await press(page, "Resume");
  await dialog(page).getByText("Nothing is missing").waitFor({ timeout: 60_000 });
  await picture(page, "4-done");
  expect(readFileSync(target).equals(readFileSync(DEMO))).toBe(true);
  await page.keyboard.press("Escape");
  // No reload: the list of the field has the file, and nothing keeps the workflow from running.
  await page
    .getByText(/nodes will run/)
    .first()
    .waitFor();
  const field = page.locator('.card [data-input="ckpt_name"]').first();
  await expect.poll(() => field.textContent()).toContain(name);
  await page.context().close();
});

test("a file here under another folder is offered, put in by a click and taken back by one undo", async () => {
  const page = await openPage(studio);
  await open(page, "elsewhere.safetensors");
  await picture(page, "5-offer");
  await press(page, "Use own/Elsewhere.safetensors");
  await dialog(page).getByText("Nothing is missing").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  const field = page.locator('.card [data-input="ckpt_name"]').first();
  await expect.poll(() => field.textContent()).toContain("elsewhere.safetensors");
  await page.context().close();
});

test("a lacking tokenizer and an earlier version of a pack are named before a run", async () => {
  const page = await openPage(studio);
  const node = (id: number, type: string, values: unknown[], properties: object) => ({
    ...{ id, type, pos: [id * 300, 0], size: [250, 120], mode: 0, order: 0, flags: {} },
    ...{ inputs: [], outputs: [], widgets_values: values, properties },
  });
  const nodes = [
    node(1, "CLIPLoader", ["umt5.safetensors", "wan", "default"], {}),
    node(2, "Fancy", [], { cnr_id: "fancy", ver: "1.10.0" }),
  ];
  const content = Buffer.from(JSON.stringify({ version: 0.4, nodes, links: [] }));
  await dropFile(page, { name: "wan.json", type: "application/json", content });
  await page.getByRole("button", { name: "Show what is missing" }).click();
  await dialog(page).getByText("umt5xxl/spiece.model").waitFor();
  const versions = dialog(page).getByRole("region", { name: "Other versions of packs" });
  await versions.getByText("1.9.0 is here, the workflow was made with 1.10.0").waitFor();
  await picture(page, "8-versions");
  expect(await dialog(page).getByText("umt5xxl/spiece.model").count()).toBe(1);
  await page.context().close();
});

test("on a phone's width everything can be read and pressed", async () => {
  const page = await openPage(studio);
  await open(page, "needed-phone.safetensors");
  await page.setViewportSize({ width: 390, height: 844 });
  await picture(page, "6-phone");
  await press(page, "Download");
  await dialog(page).getByRole("progressbar").waitFor();
  await picture(page, "7-phone-running");
  const wide = await dialog(page).evaluate((each) => each.scrollWidth - each.clientWidth);
  expect(wide).toBeLessThanOrEqual(0);
  await dialog(page).getByText("Nothing is missing").waitFor({ timeout: 60_000 });
  await page.context().close();
});

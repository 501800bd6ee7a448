/** A real server with its own folder, and a real browser. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { browserPath } from "./browserPath.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const PATIENCE = 120_000;
/** What a page of these tests begins with, whatever the studio's own first workflow has grown to. */
export const SEVEN_NODES = resolve(import.meta.dirname, "../workflows/seven_nodes.json");

const SOFTWARE_GRAPHICS = [
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];

export interface Studio {
  address: string;
  browser: Browser;
  close(): Promise<void>;
}

export interface Server {
  address: string;
  /** Its user directory. */
  user: string;
  close(): Promise<void>;
}

/** A real server with a folder of its own, which `prepare` may fill before the server opens it. */
export async function startServer(
  flags: readonly string[] = [],
  prepare?: (user: string) => void,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "calotype-browser-"));
  const user = join(folder, "user");
  prepare?.(user);
  const running = process.env.CALOTYPE_SERVER;
  if (running !== undefined) return { address: running, user, close: async () => undefined };
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const server = spawn(
    process.env.CALOTYPE_PYTHON ?? "python",
    ["main.py", "--no-browser", "--port", String(port), "--user-directory", user, ...flags],
    { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] },
  );
  await answered(address, server);
  return {
    address,
    user,
    close: async () => {
      const gone = new Promise((done) => server.once("exit", done));
      server.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * `CALOTYPE_SERVER` names a running server, `CALOTYPE_PYTHON` the Python to start one with.
 * `prepare` fills the user directory before a server opens it. `first` is the workflow that a new
 * user's page opens: that of the tests, or the bundled one. `graphics`: with WebGL, computed by the
 * processor.
 */
export async function startStudio(
  flags: readonly string[] = [],
  prepare?: (user: string) => void,
  first: "seven nodes" | "bundled" = "seven nodes",
  graphics = false,
): Promise<Studio> {
  const browser = await chromium.launch({
    executablePath: browserPath(),
    args: ["--no-sandbox", ...(graphics ? SOFTWARE_GRAPHICS : ["--disable-gpu"])],
  });
  if (first === "seven nodes") beginWithSevenNodes(browser);
  const server = await startServer(flags, prepare);
  return {
    address: server.address,
    browser,
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

/** Has the pages of a context begin with the tests' own first workflow. */
export async function serveSevenNodes(context: BrowserContext): Promise<void> {
  const body = `export default ${JSON.stringify(readFileSync(SEVEN_NODES, "utf8"))};`;
  await context.route("**/assets/text_to_image-*.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body }),
  );
}

function beginWithSevenNodes(browser: Browser): void {
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    await serveSevenNodes(context);
    return context;
  };
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const place = probe.address();
      probe.close(() => done(typeof place === "object" && place !== null ? place.port : 0));
    });
  });
}

async function answered(address: string, server: ChildProcess): Promise<void> {
  const until = Date.now() + PATIENCE;
  while (Date.now() < until) {
    if (server.exitCode !== null) throw new Error(`The server ended with ${server.exitCode}.`);
    const answer = await fetch(`${address}/object_info`).catch(() => null);
    if (answer?.ok === true) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error("The server did not answer.");
}

/** The panels that most tests look at, as a user may have left them open. */
const OPEN_PANELS = { dock: "results", inspector: true, stage: "closed" };

/** Has a context's pages begin with these panels, unless the browser has stored others. */
async function beginWithPanels(page: Page, panels: object = OPEN_PANELS): Promise<void> {
  await page.addInitScript((view) => {
    // A frame of a plugin has no storage of its own.
    if (window !== window.top || localStorage.getItem("calotype.view") !== null) return;
    localStorage.setItem("calotype.view", JSON.stringify(view));
  }, panels);
}

/**
 * Opens a page as for a new user, with `panels` open; any error in it fails the test. `prepare`
 * runs before it loads.
 */
export async function openPage(
  { browser, address }: Studio,
  prepare?: (page: Page) => Promise<void>,
  device: BrowserContextOptions = {},
  panels: object | null = OPEN_PANELS,
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...device,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => {
    throw error;
  });
  // Journals of other tests on the server do not belong to this user.
  await page.route("**/api/calotype/journals", (route) => route.fulfill({ json: [] }), {
    times: 1,
  });
  // Disables prefetching, so that parts are loaded only when a test needs them.
  await page.addInitScript(() => {
    Object.defineProperty(navigator, "connection", { value: { saveData: true } });
  });
  if (panels !== null) {
    const isNarrow = (page.viewportSize()?.width ?? 1440) < 960;
    await beginWithPanels(page, isNarrow ? { ...panels, inspector: false } : panels);
  }
  await prepare?.(page);
  await page.goto(address);
  await page.locator(".card").first().waitFor();
  await page.locator(".studio[aria-busy=false]").waitFor();
  return page;
}

/** Drops a file on the canvas or elsewhere, as from a file manager. */
export async function dropFile(
  page: Page,
  file: { name: string; type: string; content: Buffer },
  on = ".canvas",
): Promise<void> {
  const transfer = await page.evaluateHandle(
    ({ name, type, bytes }) => {
      const made = new DataTransfer();
      made.items.add(new File([new Uint8Array(bytes)], name, { type }));
      return made;
    },
    { name: file.name, type: file.type, bytes: [...file.content] },
  );
  await page.locator(on).dispatchEvent("drop", { dataTransfer: transfer });
}

/** Runs the first command that the command palette finds by this name. */
export async function runCommand(page: Page, name: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Name of a command" }).fill(name);
  await page.keyboard.press("Enter");
}

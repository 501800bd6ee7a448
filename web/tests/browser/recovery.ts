/**
 * Kills the browser and the server during edits, restarts them, and checks that what was on the
 * screen a second before is restored: real processes, real keys and pointer.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { browserPath } from "./browserPath";
import { serveSevenNodes } from "./studio";

const ROOT = resolve(import.meta.dirname, "../../..");
/** The real application with a real folder; without a worker, as nothing runs here. */
const SERVER = `
import asyncio, sys
from pathlib import Path
from aiohttp import web
from engine.server.app import build_app
from engine.settings import Settings
user = Path(sys.argv[1])
async def main():
    runner = web.AppRunner(build_app(Settings(user, user / "output", user / "input"), worker=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[2])).start()
    await asyncio.Event().wait()
asyncio.run(main())
`;
/** In milliseconds: edits older than this at the kill must not be lost. */
const MOST_LOST = 1_000;

type Way = "both" | "browser" | "server, then the browser" | "server only";
const WAYS: readonly Way[] = ["both", "browser", "server, then the browser", "server only"];

interface Round {
  way: Way;
  edits: number;
  /** The age of the oldest lost edit in milliseconds; 0 where none was lost. */
  lost: number;
  /** What is wrong with the document; null for nothing. */
  wrong: string | null;
}

/** The visible document: nodes, their positions and their values. */
type Seen = string;

interface View {
  x: number;
  y: number;
  zoom: number;
}

interface Moment {
  at: number;
  seen: Seen;
}

/** The same numbers for the same seed (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

export async function recover(
  rounds: number,
  seed: number,
  port: number,
  report: (round: Round, index: number) => void = () => undefined,
): Promise<Round[]> {
  const folder = mkdtempSync(join(tmpdir(), "calotype-recovery-"));
  const roll = dice(seed);
  const bench = new Bench(folder, port);
  const done: Round[] = [];
  try {
    for (let index = 0; index < rounds; index += 1) {
      const round = await bench.round(WAYS[index % WAYS.length] ?? "both", roll);
      report(round, index);
      done.push(round);
    }
  } finally {
    await bench.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  return done;
}

class Bench {
  private server: ChildProcess | null = null;
  private chromium: ChildProcess | null = null;
  private browser: Browser | null = null;

  constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  async round(way: Way, roll: (sides: number) => number): Promise<Round> {
    const page = await this.open();
    await showAll(page);
    await viewKept(page, this.address);
    const moments: Moment[] = [{ at: Date.now(), seen: await seenOn(page) }];
    let dead = false;
    const editing = edit(page, moments, roll, () => dead);
    await until("an edit", async () => changes(moments) > 0);
    await pause(roll(2_500));
    let killed = Date.now();
    if (way !== "browser") await kill(this.server);
    if (way.startsWith("server")) await pause(300 + roll(1_500));
    if (way === "server only") {
      dead = true;
      await editing;
      killed = Date.now();
      await pause(roll(400));
      await this.startServer();
      await settled(page, this.address);
      await kill(this.chromium);
    } else {
      if (way !== "both") killed = Date.now();
      dead = true;
      await kill(this.chromium);
      await editing;
    }
    this.chromium = null;
    if (way !== "browser" && way !== "server only") this.server = null;
    const found = await seenOn(await this.open());
    await kill(this.chromium);
    this.chromium = null;
    const from = way === "server only" ? killed : killed - MOST_LOST;
    return { way, edits: changes(moments), ...judged(moments, found, from, killed) };
  }

  async end(): Promise<void> {
    await this.browser?.close().catch(() => undefined);
    await kill(this.chromium);
    await kill(this.server);
  }

  private get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  private async open(): Promise<Page> {
    await this.startServer();
    await this.startBrowser();
    const context = this.browser?.contexts()[0];
    if (context === undefined) throw new Error("The browser has no context.");
    await serveSevenNodes(context);
    const page = await context.newPage();
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(this.address);
    await page.locator(".studio[aria-busy=false]").waitFor({ timeout: 60_000 });
    return page;
  }

  private async startServer(): Promise<void> {
    if (this.server !== null && this.server.signalCode === null) return;
    const user = join(this.folder, "user");
    this.server = spawn(
      process.env.CALOTYPE_PYTHON ?? "python",
      ["-c", SERVER, user, String(this.port)],
      { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"], detached: true },
    );
    await until("the server", async () => (await fetch(`${this.address}/features`)).ok);
  }

  private async startBrowser(): Promise<void> {
    const profile = join(this.folder, "profile");
    const ports = join(profile, "DevToolsActivePort");
    rmSync(ports, { force: true });
    rmSync(join(profile, "SingletonLock"), { force: true });
    this.chromium = spawn(
      browserPath(),
      [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
      { stdio: "ignore", detached: true },
    );
    await until("the browser", async () => existsSync(ports) && readFileSync(ports).length > 0);
    const [debugging] = readFileSync(ports, "utf8").split("\n");
    this.browser = await chromium.connectOverCDP(`http://127.0.0.1:${debugging}`);
  }
}

/** The number of changes of the visible document. */
function changes(moments: readonly Moment[]): number {
  return moments.filter(({ seen }, index) => index > 0 && seen !== moments[index - 1]?.seen).length;
}

/** Kills a process and all its children at once. */
async function kill(started: ChildProcess | null): Promise<void> {
  if (started?.pid === undefined || started.signalCode !== null) return;
  const gone = new Promise((done) => started.once("exit", done));
  process.kill(-started.pid, "SIGKILL");
  await gone;
}

/** The number of nodes in the first workflow; no edit here deletes or hides one. */
const NODES = 7;
const KEYS = "abcdefghijklmnopqrstuvwxyz ,";

/** Shows all nodes, as only nodes in view are mounted. */
async function showAll(page: Page): Promise<void> {
  await page.locator(".canvas").focus();
  // With nothing selected, as the key would otherwise show the selection.
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await until("all nodes", async () => (await page.locator(".card").count()) === NODES);
}

/** Edits like a user until stopped, and records the visible document after each edit. */
async function edit(
  page: Page,
  moments: Moment[],
  roll: (sides: number) => number,
  isDead: () => boolean,
): Promise<void> {
  const note = async () => moments.push({ at: Date.now(), seen: await seenOn(page) });
  try {
    while (!isDead()) {
      const kind = roll(5);
      if (kind < 2) await type(page, roll, note, isDead);
      else if (kind < 4) await drag(page, roll, note, isDead);
      else {
        await page.keyboard.press(roll(3) === 0 ? "Control+Shift+Z" : "Control+Z");
        await note();
      }
    }
  } catch (error) {
    if (!isDead()) throw error;
  }
}

async function type(
  page: Page,
  roll: (sides: number) => number,
  note: () => Promise<unknown>,
  isDead: () => boolean,
): Promise<void> {
  // Not by a click, as another node may be above it by now.
  await page.locator(".card textarea").nth(roll(2)).focus();
  await page.keyboard.press("Control+End");
  for (let count = 3 + roll(12); count > 0 && !isDead(); count -= 1) {
    await page.keyboard.press(KEYS[roll(KEYS.length)] ?? "x");
    await note();
  }
  await page.keyboard.press("Escape");
}

async function drag(
  page: Page,
  roll: (sides: number) => number,
  note: () => Promise<unknown>,
  isDead: () => boolean,
): Promise<void> {
  const titles = page.locator(".card .card-title");
  const place = await titles.nth(roll(await titles.count())).evaluate((title) => {
    const { x, y, width, height } = title.getBoundingClientRect();
    const [left, middle] = [x + width / 3, y + height / 2];
    return title.contains(document.elementFromPoint(left, middle)) ? { x: left, y: middle } : null;
  });
  if (place === null) return;
  let { x, y } = place;
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let count = 3 + roll(8); count > 0 && !isDead(); count -= 1) {
    x = Math.max(120, Math.min(1000, x + roll(60) - 30));
    y = Math.max(120, Math.min(600, y + roll(60) - 30));
    await page.mouse.move(x, y);
    await note();
  }
  await page.mouse.up();
  await note();
}

function seenOn(page: Page): Promise<Seen> {
  return page.evaluate(() => {
    const nodes = [...document.querySelectorAll<HTMLElement>(".react-flow__node")];
    const told = nodes.map((node) => {
      const texts = [...node.querySelectorAll("textarea")].map((each) => each.value);
      const numbers = [...node.querySelectorAll('[role="spinbutton"]')].map((each) =>
        each.getAttribute("aria-valuetext"),
      );
      return [node.dataset.id, node.style.transform, texts, numbers];
    });
    return JSON.stringify(told.sort());
  });
}

/**
 * The restored document must equal one seen after `from`, or the last one seen before. The edit in
 * progress at the kill may be included too, as one step after the last.
 */
function judged(
  moments: readonly Moment[],
  found: Seen,
  from: number,
  killed: number,
): Pick<Round, "lost" | "wrong"> {
  const index = moments.findLastIndex(({ seen }) => seen === found);
  const last = moments.at(-1);
  if (index < 0) {
    return isNextStep(last?.seen ?? "", found)
      ? { lost: 0, wrong: null }
      : { lost: 0, wrong: `never seen: ${found}\nlast seen:  ${last?.seen}` };
  }
  const missing = moments[index + 1];
  if (missing === undefined) return { lost: 0, wrong: null };
  const lost = Math.max(0, killed - missing.at);
  const wrong = missing.at < from ? `an edit ${lost} ms before the kill did not come back` : null;
  return { lost, wrong };
}

/** Whether at most one node differs: an edit of it was in progress. */
function isNextStep(last: Seen, found: Seen): boolean {
  const [one, other] = [JSON.parse(last), JSON.parse(found)] as unknown[][];
  if (one === undefined || other === undefined || one.length !== other.length) return false;
  const different = one.filter((each, index) => {
    return JSON.stringify(each) !== JSON.stringify(other[index]);
  });
  return different.length === 1;
}

/** Waits until the server has all edits of this page. */
async function settled(page: Page, address: string): Promise<void> {
  await until("the journal", async () => {
    const left = await page.evaluate(
      () =>
        new Promise<number>((done, fail) => {
          const opening = indexedDB.open("calotype.journals");
          opening.onerror = () => fail(opening.error);
          opening.onsuccess = () => {
            const counting = opening.result.transaction("unsent").objectStore("unsent").count();
            counting.onsuccess = () => {
              opening.result.close();
              done(counting.result);
            };
          };
        }),
    );
    return left === 0 && (await fetch(`${address}/features`)).ok;
  });
}

/**
 * Waits until the server has the current view, as changes of the view in the last second may be
 * lost.
 */
async function viewKept(page: Page, address: string): Promise<void> {
  await until("the view", async () => {
    const seen = await page.locator(".react-flow__viewport").evaluate((layer) => {
      const { e: x, f: y, a: zoom } = new DOMMatrix(getComputedStyle(layer).transform);
      return { x, y, zoom };
    });
    const answer = await fetch(`${address}/calotype/journals`);
    const journals = (await answer.json()) as { tab: { viewport: View | null } }[];
    return journals.some(({ tab: { viewport } }) => {
      if (viewport === null) return false;
      const off = Math.max(Math.abs(viewport.x - seen.x), Math.abs(viewport.y - seen.y));
      return off < 0.1 && Math.abs(viewport.zoom - seen.zoom) < 0.001;
    });
  });
}

async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    if (await done().catch(() => false)) return;
    await pause(50);
  }
  throw new Error(`${what} did not answer.`);
}

function pause(time: number): Promise<void> {
  return new Promise((done) => setTimeout(done, time));
}

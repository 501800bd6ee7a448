/**
 * The journal of one document: writes changes as lines and sends them to the server, with a copy in
 * this browser until the server has acknowledged them.
 */

import { conflictOf, type JournalServer } from "../../api/journals";
import { HttpError } from "../../api/transport";
import type { Workflow } from "../../document/graph";
import {
  lineOf,
  type Step,
  snapshotLine,
  stepsBetween,
  type TabState,
  tailOf,
} from "../../document/journal";
import { equalJson } from "../../document/json";
import type { Log } from "../../document/log";
import type { Tab } from "../session/studio";
import type { Mirror } from "./mirror";

/**
 * The number of lines after which the whole document is written again, so that replay stays short.
 */
const MAX_LINES = 300;
const MAX_CHARACTERS = 2_000_000;
/** The part of the log that a line of the whole document includes: its newest entries. */
const LOG_ENTRIES = 500;
const LOG_CHARACTERS = 2_000_000;
/** Browsers limit what a page may send while it closes, to 64 KB. */
const MAX_BYTES_ON_LEAVING = 60_000;
const FIRST_RETRY_DELAY = 400;
/** In milliseconds: after this time without a response, the whole document is copied locally. */
const SLOW_AFTER = 1_000;
const MAX_RETRY_DELAY = 4_000;

export type DocumentState = Pick<Tab, "workflow" | "log" | "savedWorkflow">;

export interface JournalEnvironment {
  server: Pick<JournalServer, "append" | "replace">;
  mirror: Mirror;
  /** Called when another window has taken over the document. */
  onLost: (id: string) => void;
  /** Called for a refusal that the user should know of. */
  onError: (error: unknown) => void;
}

/** The state that the written lines lead to. */
interface WrittenState {
  workflow: Workflow;
  log: Log;
  /** The number of the log's first entries that no line includes. */
  floor: number;
  saved: boolean;
  tab: TabState;
}

export class Journal {
  private lastWritten: WrittenState | null = null;
  private latest: { written: DocumentState; tab: TabState } | null = null;
  private unsent: string[] = [];
  private startsWhole = false;
  private lines = 0;
  private characters = 0;
  private sending = false;
  private failures = 0;
  private reported = false;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private lost = false;
  /**
   * A line with the whole document, from when the server stopped answering; null while it answers.
   */
  private whole: string | null = null;

  /**
   * `last` is the number of the last line on the server, `owner` the window that had the document.
   */
  constructor(
    readonly id: string,
    private readonly environment: JournalEnvironment,
    private last = 0,
    private owner: string | null = null,
  ) {}

  /** Whether the server has acknowledged all lines. */
  get settled(): boolean {
    return this.unsent.length === 0;
  }

  /** Writes the current state of the document, and starts sending it. */
  write(written: DocumentState, tab: TabState): void {
    if (this.lost) return;
    this.latest = { written, tab };
    const steps = this.stepsTo(written, tab);
    if (steps?.length === 0) return;
    if (steps === null) this.writeWhole(written, tab);
    else for (const step of steps) this.push(lineOf(this.last + 1, step));
    const floor = this.lastWritten?.floor ?? 0;
    const saved = written.workflow === written.savedWorkflow;
    this.lastWritten = { workflow: written.workflow, log: written.log, floor, saved, tab };
    this.copyToMirror();
    if (this.retry === undefined) void this.send();
  }

  /** Called when the page may be closing: sends the unsent lines with `keepalive`. */
  leave(): void {
    const lines = this.unsent.join("");
    if (lines === "" || this.lost) return;
    this.copyWhole();
    const keepalive = new Blob([lines]).size < MAX_BYTES_ON_LEAVING;
    this.deliver(this.startsWhole, lines, keepalive).catch(() => {
      // The lines stay in this browser's copy, which is sent when the editor is opened again.
    });
  }

  /** Stops writing and sending. */
  end(): void {
    this.lost = true;
    clearTimeout(this.retry);
  }

  /**
   * The steps from the written state to this one; null where the whole document must be written.
   */
  private stepsTo({ workflow, log, savedWorkflow }: DocumentState, tab: TabState): Step[] | null {
    const { lastWritten: known } = this;
    if (known === null || this.lines >= MAX_LINES || this.characters >= MAX_CHARACTERS) {
      return null;
    }
    const steps = stepsBetween(known.log, log, known.floor);
    if (steps === null || (known.workflow !== workflow && steps.length === 0)) return null;
    if (workflow === savedWorkflow) {
      if (steps.length > 0 || !known.saved) steps.push({ kind: "saved" });
    } else if (steps.length === 0 && known.saved) return null;
    if (!equalJson(tab, known.tab)) steps.push({ kind: "tab", tab });
    return steps;
  }

  private writeWhole({ workflow, log, savedWorkflow }: DocumentState, tab: TabState): void {
    const { log: tail, left } = tailOf(log, LOG_ENTRIES, LOG_CHARACTERS);
    this.unsent = [];
    this.lines = 0;
    this.characters = 0;
    const whole = { tab, graph: workflow, log: tail, saved: workflow === savedWorkflow };
    this.push(snapshotLine(this.last + 1, whole));
    this.characters = 0;
    this.startsWhole = true;
    this.lastWritten = { workflow, log, floor: left, saved: whole.saved, tab };
  }

  private push(line: string): void {
    this.unsent.push(line);
    this.last += 1;
    this.lines += 1;
    this.characters += line.length;
  }

  private copyToMirror(): void {
    const { mirror } = this.environment;
    const window = this.latest?.tab.window ?? "";
    if (this.unsent.length === 0 || this.startsWhole) this.whole = null;
    const { owner, unsent: lines, whole } = this;
    const unsent = { window, owner, lines, ...(whole !== null && { whole }) };
    const copied = lines.length === 0 ? mirror.drop(this.id) : mirror.put(this.id, unsent);
    copied.catch((error: unknown) => this.report(error));
  }

  /**
   * Unsent lines are useless without those before them, so the whole document is copied locally.
   */
  private copyWhole(): void {
    const { latest, lost, startsWhole, unsent, whole } = this;
    if (latest === null || lost || startsWhole || unsent.length === 0 || whole !== null) return;
    const { workflow, log, savedWorkflow } = latest.written;
    const { log: tail } = tailOf(log, LOG_ENTRIES, LOG_CHARACTERS);
    const saved = workflow === savedWorkflow;
    this.whole = snapshotLine(this.last, { tab: latest.tab, graph: workflow, log: tail, saved });
    this.copyToMirror();
  }

  private async send(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    this.retry = undefined;
    try {
      while (this.unsent.length > 0 && !this.lost) await this.sendOnce();
      this.failures = 0;
      this.reported = false;
    } catch (error) {
      this.scheduleRetry(error);
    } finally {
      this.sending = false;
    }
  }

  private async sendOnce(): Promise<void> {
    const batch = this.unsent;
    const count = batch.length;
    const mine = this.latest?.tab.window ?? null;
    const slow = setTimeout(() => this.copyWhole(), SLOW_AFTER);
    try {
      await this.deliver(this.startsWhole, batch.join(""), false);
    } catch (error) {
      if (this.unsent === batch && this.handleRefusal(error)) return;
      throw error;
    } finally {
      clearTimeout(slow);
    }
    this.owner = mine;
    // The whole document was written meanwhile; it replaces these lines and is sent next.
    if (this.unsent !== batch) return;
    this.unsent = batch.slice(count);
    this.startsWhole = false;
    this.copyToMirror();
  }

  private deliver(whole: boolean, lines: string, keepalive: boolean): Promise<void> {
    const { server } = this.environment;
    const window = this.latest?.tab.window ?? "";
    return whole
      ? server.replace(this.id, window, lines, this.owner, keepalive)
      : server.append(this.id, window, lines, keepalive);
  }

  /** Reacts to a refusal; false where only a later retry can help. */
  private handleRefusal(error: unknown): boolean {
    const conflict = conflictOf(error);
    if (conflict === null) {
      const tooLong = error instanceof HttpError && error.status === 413 && !this.startsWhole;
      return tooLong && this.rewrite(this.last);
    }
    const mine = this.latest?.tab.window;
    if (conflict.window !== null && conflict.window !== mine) {
      this.end();
      this.environment.onLost(this.id);
      return true;
    }
    this.owner = conflict.window;
    return this.rewrite(Math.max(conflict.last, this.last));
  }

  private rewrite(last: number): boolean {
    if (this.latest === null) return false;
    this.last = last;
    this.writeWhole(this.latest.written, this.latest.tab);
    this.copyToMirror();
    return true;
  }

  private scheduleRetry(error: unknown): void {
    if (this.lost) return;
    this.copyWhole();
    if (error instanceof HttpError && !this.reported) {
      this.reported = true;
      this.report(error);
    }
    const wait = Math.min(FIRST_RETRY_DELAY * 2 ** this.failures, MAX_RETRY_DELAY);
    this.failures += 1;
    this.retry = setTimeout(() => void this.send(), wait);
  }

  private report(error: unknown): void {
    this.environment.onError(error);
  }
}

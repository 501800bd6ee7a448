/**
 * A journal reaches the server in any state of the server: unreachable, slow, emptied, taken over.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HttpError } from "../../src/api/transport";
import { addNode, moveNodes } from "../../src/document/edit";
import { emptyGraph, type GraphNode } from "../../src/document/graph";
import { replay, type TabState } from "../../src/document/journal";
import { EMPTY_LOG, type Recorded, record, undo } from "../../src/document/log";
import { type DocumentState, Journal } from "../../src/state/files/journal";
import type { Mirror, Unsent } from "../../src/state/files/mirror";
import { replayUnsent } from "../../src/state/files/unsent";

/** The server's rules in short: repeated lines are accepted, lines out of order are refused. */
class Server {
  text = "";
  owner: string | null = null;
  away = false;
  loses = false;
  requests = 0;

  readonly append = (_id: string, window: string, lines: string) =>
    this.answer(() => {
      if (this.owner !== window && this.owner !== null) throw this.refused();
      const all = numbered(lines);
      if (this.text === "" || (all[0]?.n ?? 0) > this.last + 1) throw this.refused();
      const { last } = this;
      for (const { n, line } of all) if (n > last) this.text += line;
    });

  readonly replace = (_id: string, window: string, lines: string, owner: string | null = null) =>
    this.answer(() => {
      if ((numbered(lines).at(-1)?.n ?? 0) < this.last) throw this.refused();
      const known = [null, owner, window].includes(this.owner);
      if (owner !== null && !known) throw this.refused();
      this.text = lines;
      this.owner = window;
    });

  get last(): number {
    return numbered(this.text).at(-1)?.n ?? 0;
  }

  refused(): HttpError {
    return new HttpError(409, "no", { last: this.last, window: this.owner });
  }

  private async answer(work: () => void): Promise<void> {
    this.requests += 1;
    if (this.away) throw new TypeError("Failed to fetch");
    work();
    if (this.loses) throw new TypeError("The answer was lost");
  }
}

function numbered(text: string): { n: number; line: string }[] {
  return text
    .split(/(?<=\n)/)
    .filter((line) => line !== "")
    .map((line) => ({ n: (JSON.parse(line) as { n: number }).n, line }));
}

const tab: TabState = {
  window: "one",
  name: "Flow",
  path: null,
  stamp: null,
  viewport: null,
  level: [],
  place: 0,
  shown: 0,
  closed: null,
};

const node: GraphNode = {
  key: "1",
  id: 1,
  type: "Note",
  title: null,
  position: { x: 0, y: 0 },
  size: { width: 1, height: 1 },
  mode: 0,
  collapsed: false,
  color: null,
  inputs: [],
  outputs: [],
  values: {},
  slots: [],
  saved: {},
};

function opened(): DocumentState {
  const start = record({ graph: emptyGraph(), log: EMPTY_LOG }, "Add", (draft) =>
    addNode(draft, structuredClone(node)),
  );
  return { workflow: start.graph, log: EMPTY_LOG, savedWorkflow: start.graph };
}

function recorded({ workflow, log }: DocumentState): Recorded {
  return { graph: workflow, log };
}

function changed(written: DocumentState, { graph, log }: Recorded): DocumentState {
  return { ...written, workflow: graph, log };
}

function moved(written: DocumentState, x: number, thread?: string): DocumentState {
  return changed(
    written,
    record(recorded(written), "Move", (draft) => moveNodes(draft, { 1: { x, y: 0 } }), thread),
  );
}

let server: Server;
let unsent: Map<string, Unsent>;
let journal: Journal;
const lost = vi.fn();
const trouble = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  unsent = new Map();
  const mirror: Mirror = {
    put: async (id, lines) => void unsent.set(id, structuredClone(lines)),
    drop: async (id) => void unsent.delete(id),
    all: async () => [...unsent],
  };
  lost.mockReset();
  trouble.mockReset();
  journal = new Journal("a", { server, mirror, onLost: lost, onError: trouble });
});
afterEach(() => {
  journal.end();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(10_000);

function expectKept(written: DocumentState): void {
  const found = replay(server.text);
  expect(found?.graph).toEqual(written.workflow);
  expect(found?.log).toEqual(written.log);
  expect(found?.saved).toBe(written.workflow === written.savedWorkflow);
  expect(journal.settled).toBe(true);
  expect(unsent.size).toBe(0);
}

describe("a journal", () => {
  test("sends the whole once, and then steps", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    expectKept(written);
    for (let x = 1; x < 5; x += 1) {
      written = moved(written, x, "drag");
      journal.write(written, tab);
      await settle();
    }
    expectKept(written);
    expect(server.text.match(/"kind":"whole"/g)?.length).toBe(1);
    written = changed(written, undo(recorded(written)));
    journal.write(written, { ...tab, name: "Other" });
    journal.write({ ...written, savedWorkflow: written.workflow }, { ...tab, name: "Other" });
    await settle();
    expectKept({ ...written, savedWorkflow: written.workflow });
    expect(replay(server.text)?.tab.name).toBe("Other");
  });

  test("says nothing where nothing changed", async () => {
    const written = opened();
    journal.write(written, tab);
    await settle();
    const { requests } = server;
    journal.write(written, { ...tab });
    await settle();
    expect(server.requests).toBe(requests);
  });

  test("keeps what is done while the server is away, and brings it when it is back", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    server.away = true;
    for (let x = 1; x < 20; x += 1) {
      written = moved(written, x);
      journal.write(written, tab);
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(unsent.get("a")?.lines.length).toBe(19);
    server.away = false;
    await settle();
    expectKept(written);
    expect(trouble).not.toHaveBeenCalled();
  });

  test("sends again what was taken without an answer, and it is there once", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    server.loses = true;
    written = moved(written, 7);
    journal.write(written, tab);
    await vi.advanceTimersByTimeAsync(900);
    server.loses = false;
    await settle();
    expectKept(written);
  });

  test("is whole again on a server that has lost it", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    server.text = "";
    server.owner = null;
    written = moved(written, 3);
    journal.write(written, tab);
    await settle();
    expectKept(written);
  });

  test("gives way to a window that has taken the document", async () => {
    const written = opened();
    journal.write(written, tab);
    await settle();
    server.owner = "two";
    const before = server.text;
    journal.write(moved(written, 3), tab);
    await settle();
    expect(lost).toHaveBeenCalledExactlyOnceWith("a");
    expect(server.text).toBe(before);
  });

  test("leaves in this browser all that was done, not only the last steps", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    server.away = true;
    for (let x = 1; x < 5; x += 1) {
      written = moved(written, x, x < 3 ? "drag" : undefined);
      journal.write(written, tab);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    const kept = unsent.get("a");
    expect(kept && replayUnsent(kept)).toMatchObject({ graph: written.workflow, truncated: false });
    server.away = false;
    await settle();
    expectKept(written);
  });

  test("takes no document from a third window, however much was done meanwhile", async () => {
    let written = opened();
    journal.write(written, tab);
    await settle();
    server.away = true;
    for (let x = 1; x < 400; x += 1) {
      written = moved(written, x);
      journal.write(written, tab);
    }
    await settle();
    server.away = false;
    server.owner = "two";
    const before = server.text;
    await settle();
    expect(lost).toHaveBeenCalledExactlyOnceWith("a");
    expect(server.text).toBe(before);
  });

  test("is made short after many lines, with the newest undo", async () => {
    let written = opened();
    journal.write(written, tab);
    for (let x = 1; x < 1000; x += 1) {
      written = moved(written, x);
      journal.write(written, tab);
    }
    await settle();
    expect(numbered(server.text).length).toBeLessThan(302);
    const found = replay(server.text);
    expect(found?.graph).toEqual(written.workflow);
    expect(found?.log.done.length).toBeGreaterThan(499);
    for (let count = 0; count < 900; count += 1) {
      written = changed(written, undo(recorded(written)));
      journal.write(written, tab);
    }
    await settle();
    expect(replay(server.text)?.graph).toEqual(written.workflow);
  });
});

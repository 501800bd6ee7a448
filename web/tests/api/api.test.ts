/** The client's requests and its handling of refusals; the catalog; the socket. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { makeClient } from "../../src/api/client";
import { readFrame } from "../../src/api/frames";
import { type Connection, openSocket } from "../../src/api/socket";
import { HttpError } from "../../src/api/transport";
import type { ServerMessage } from "../../src/api/types";
import { parseJson, writeJson } from "../../src/document/json";

const codec = { parse: parseJson, write: writeJson };

describe("the client", () => {
  test("sends a seed of 64 bits as it is", async () => {
    let sent = "";
    const client = makeClient(codec, (_path, init) => {
      sent = String(init?.body);
      return Promise.resolve(new Response('{"prompt_id":"p"}'));
    });
    const prompt = { "1": { class_type: "A", inputs: { seed: 18446744073709551615n } } };
    expect(await client.submit({ client: "c", id: "p", prompt, workflow: {} })).toEqual({
      prompt_id: "p",
    });
    expect(sent).toContain('"seed":18446744073709551615');
    expect(sent).not.toContain('"metadata"');
  });

  test("asks for files without what made them where that is switched off", async () => {
    let sent = "";
    const client = makeClient(codec, (_path, init) => {
      sent = String(init?.body);
      return Promise.resolve(new Response('{"prompt_id":"p"}'));
    });
    await client.submit({ client: "c", id: "p", prompt: {}, workflow: {}, metadata: false });
    expect(JSON.parse(sent).extra_data.metadata).toBe(false);
  });

  test("says in words what the server refused, and keeps the answer", async () => {
    const body = { error: { message: "Prompt has no outputs", details: "" }, node_errors: {} };
    const client = makeClient(codec, () =>
      Promise.resolve(new Response(JSON.stringify(body), { status: 400 })),
    );
    const refused = await client.check({}).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(HttpError);
    expect(refused).toMatchObject({ status: 400, message: "Prompt has no outputs", body });
  });

  test("reads a missing file as none, and an error as an error", async () => {
    const answers = (status: number) =>
      makeClient(codec, () => Promise.resolve(new Response("no", { status })));
    expect(await answers(404).load("workflows/a.json")).toBeNull();
    await expect(answers(500).load("workflows/a.json")).rejects.toThrow("500");
  });
});

describe("a server that stalls", () => {
  /** A server that never answers; the request rejects when it is aborted. */
  const stalled: typeof fetch = (_url, init) =>
    new Promise((_, failed) => {
      init?.signal?.addEventListener("abort", () => failed(init.signal?.reason));
    });

  test("every request is given up after its time, a check sooner", async () => {
    const limits: number[] = [];
    const clock = vi.spyOn(AbortSignal, "timeout").mockImplementation((limit) => {
      limits.push(limit);
      const controller = new AbortController();
      queueMicrotask(() => controller.abort(new DOMException("timed out", "TimeoutError")));
      return controller.signal;
    });
    const client = makeClient(codec, stalled);
    const { signal } = new AbortController();
    for (const ask of [
      () => client.catalog(),
      () => client.check({}, { signal }),
      () => client.submit({ client: "c", id: "p", prompt: {}, workflow: {} }),
      () => client.load("workflows/a.json"),
      () => client.interrupt(),
    ]) {
      await expect(ask()).rejects.toMatchObject({ name: "TimeoutError" });
    }
    expect(limits).toHaveLength(5);
    expect(limits[1]).toBeLessThan(limits[0] ?? 0);
    clock.mockRestore();
  });

  test("whoever asked gives up as before", async () => {
    const giveUp = new AbortController();
    const asked = makeClient(codec, stalled).check({}, { signal: giveUp.signal });
    giveUp.abort();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("the catalog", () => {
  test("reads both forms of a combo, in the stated order", () => {
    const { Loader } = readCatalog({
      Loader: {
        input: {
          required: { name: [["a", "b"], { tooltip: "t" }], model: ["MODEL"] },
          optional: { mode: ["COMBO", { options: [1, 2], default: 2 }] },
        },
        input_order: { required: ["model", "name"], optional: ["mode"] },
        output: ["IMAGE", ["x"]],
        output_name: ["picture"],
        output_is_list: [true, false],
        output_node: true,
      },
    });
    expect(Loader?.inputs.map((each) => [each.name, each.type, each.choices])).toEqual([
      ["model", "MODEL", null],
      ["name", "COMBO", ["a", "b"]],
      ["mode", "COMBO", [1, 2]],
    ]);
    expect(Loader?.outputs).toEqual([
      { type: "IMAGE", name: "picture", is_list: true, tooltip: null, match: null },
      { type: "COMBO", name: "COMBO", is_list: false, tooltip: null, match: null },
    ]);
  });
});

describe("binary frames", () => {
  const frame = (kind: number, second: number, rest: Uint8Array) => {
    const bytes = new Uint8Array(8 + rest.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, kind);
    view.setUint32(4, second);
    bytes.set(rest, 8);
    return bytes.buffer;
  };

  test("a preview, with and without metadata", async () => {
    const plain = readFrame(frame(1, 2, new Uint8Array([1, 2])));
    expect(plain).toMatchObject({ node: null });
    expect(plain?.image.type).toBe("image/png");
    const metadata = new TextEncoder().encode(
      '{"display_node_id":"5","prompt_id":"p","image_type":"image/jpeg"}',
    );
    const both = readFrame(frame(4, metadata.length, new Uint8Array([...metadata, 9, 8])));
    expect(both).toMatchObject({ node: "5", prompt: "p" });
    expect([...new Uint8Array((await both?.image.arrayBuffer()) ?? [])]).toEqual([9, 8]);
  });

  test("other kinds and cut ones are passed over", () => {
    expect(readFrame(frame(9, 0, new Uint8Array()))).toBeNull();
    expect(readFrame(frame(4, 100, new Uint8Array(3)))).toBeNull();
    expect(readFrame(new ArrayBuffer(3))).toBeNull();
  });
});

describe("the socket", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("greets, hears, and opens again after it closed, until it is ended", () => {
    const made: { sent: string[]; socket: WebSocket }[] = [];
    const open = () => {
      const sent: string[] = [];
      const socket = { send: (text: string) => sent.push(text), close: () => undefined };
      made.push({ sent, socket: socket as unknown as WebSocket });
      return socket as unknown as WebSocket;
    };
    const heard: ServerMessage[] = [];
    const states: Connection[] = [];
    const end = openSocket(
      { url: "ws://x", parse: parseJson, open },
      {
        onMessage: (message) => heard.push(message),
        onPreview: () => undefined,
        onConnection: (state) => states.push(state),
      },
    );
    const event = {} as Event & CloseEvent;
    made[0]?.socket.onopen?.call(made[0].socket, event);
    expect(made[0]?.sent[0]).toContain("supports_preview_metadata");
    const data = '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":1}}}}';
    made[0]?.socket.onmessage?.call(made[0].socket, { data } as MessageEvent);
    expect(heard).toHaveLength(1);
    made[0]?.socket.onclose?.call(made[0].socket, event);
    vi.advanceTimersByTime(300);
    expect(made).toHaveLength(2);
    made[1]?.socket.onclose?.call(made[1].socket, event);
    vi.advanceTimersByTime(300);
    expect(made).toHaveLength(2);
    vi.advanceTimersByTime(300);
    expect(made).toHaveLength(3);
    end();
    made[2]?.socket.onclose?.call(made[2].socket, event);
    vi.advanceTimersByTime(10_000);
    expect(made).toHaveLength(3);
    expect(states).toEqual(["connecting", "open", "closed", "connecting", "closed", "connecting"]);
  });
});

/** Packs as the panel reads them: defaults of what the server leaves out, and their order. */
import { afterEach, expect, test, vi } from "vitest";
import { makePacks } from "../../src/api/packs";
import { isFaulty, readPacks, usePacks, waitsForReload } from "../../src/state/catalog/packs";

const codec = { parse: JSON.parse, write: JSON.stringify };

function answering(value: unknown) {
  return vi.fn(async () => new Response(JSON.stringify(value)));
}

afterEach(() => vi.restoreAllMocks());

test("a report that says little has plain values", async () => {
  const packs = makePacks(codec, answering([{ name: "a", state: "disabled" }]));
  expect(await packs.list()).toEqual([
    {
      name: "a",
      version: "",
      state: "disabled",
      seconds: 0,
      nodes: [],
      error: "",
      traceback: [],
      install: "",
      warnings: [],
      left_out: {},
      enabled: false,
      isolated: false,
      network: true,
      memory: 0,
      clashes: [],
      claims: {},
    },
  ]);
});

test("a change names its pack in the address", async () => {
  const fetched = vi.fn(async (_url: string, _init?: RequestInit) => new Response(""));
  const packs = makePacks(codec, fetched as unknown as typeof fetch);
  await packs.change("a b/c", { enabled: false });
  await packs.choose("Blur", "a");
  expect(fetched.mock.calls.map(([url, init]) => [url, init?.body])).toEqual([
    ["api/calotype/packs/a%20b%2Fc", '{"enabled":false}'],
    ["api/calotype/packs/choose", '{"class":"Blur","pack":"a"}'],
  ]);
});

test("faults come first, then names", async () => {
  const listed = ["b:loaded", "c:hung", "a:loaded", "d:failed"].map((each) => {
    const [name, state] = each.split(":");
    return { name, state };
  });
  vi.stubGlobal("fetch", answering(listed));
  await readPacks();
  expect(usePacks.getState().all?.map(({ name }) => name)).toEqual(["c", "d", "a", "b"]);
  expect(usePacks.getState().all?.filter(isFaulty).length).toBe(2);
  vi.unstubAllGlobals();
});

test("what was switched waits for the next start of the worker", async () => {
  const states = [
    { name: "a", state: "loaded", enabled: true },
    { name: "b", state: "loaded", enabled: false },
    { name: "c", state: "disabled", enabled: true },
    { name: "d", state: "disabled", enabled: false },
    { name: "e", state: "loading", enabled: true },
    { name: "f", state: "failed", enabled: true },
    { name: "g", state: "isolated", enabled: true, isolated: true },
    { name: "h", state: "isolated", enabled: true, isolated: false },
    { name: "i", state: "loaded", enabled: true, isolated: true },
  ];
  const found = await makePacks(codec, answering(states)).list();
  expect(found.filter(waitsForReload).map(({ name }) => name)).toEqual([...["b", "c", "h", "i"]]);
});

/**
 * Every URL of the server is relative to the page, so that a reverse proxy can serve both below any
 * path.
 */
import { expect, test } from "vitest";
import {
  extensionUrl,
  makeClient,
  modelPreviewUrl,
  socketUrl,
  viewUrl,
} from "../../src/api/client";
import { thumbnailUrl } from "../../src/api/results";
import { parseJson, writeJson } from "../../src/document/json";

const PAGE = "https://host.example/studio/?once#x";
const BELOW = "https://host.example/studio/";
const file = { filename: "a b.png", subfolder: "", type: "output" } as const;

test("pictures, pages of plugins and previews of weights", () => {
  const model = { name: "deep/a.safetensors", pathIndex: 0 };
  for (const address of [
    viewUrl(file),
    thumbnailUrl(file, 128),
    extensionUrl("pack", "page.html"),
    modelPreviewUrl("checkpoints", model as Parameters<typeof modelPreviewUrl>[1]),
  ]) {
    expect(address).not.toMatch(/^\//);
    expect(new URL(address, PAGE).href.startsWith(BELOW)).toBe(true);
  }
});

test("the socket", () => {
  const place = { href: PAGE } as Location;
  expect(socketUrl("a&b", place)).toBe("wss://host.example/studio/ws?clientId=a%26b");
  const plain = { href: "http://127.0.0.1:8188/" } as Location;
  expect(socketUrl("a", plain)).toBe("ws://127.0.0.1:8188/ws?clientId=a");
});

test("every request", async () => {
  const asked: string[] = [];
  const client = makeClient({ parse: parseJson, write: writeJson }, (url) => {
    asked.push(String(url));
    return Promise.resolve(new Response("[]"));
  });
  await client.embeddings();
  await client.machine();
  await client.load("workflows/a.json");
  expect(asked).toHaveLength(3);
  expect(asked.filter((each) => each.startsWith("/"))).toEqual([]);
});

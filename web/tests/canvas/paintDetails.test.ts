/** What painted nodes hold: the shapes of fields, a picture's place, the first words. */
import { expect, test } from "vitest";
import { belowTitle, detailOf } from "../../src/canvas/paintDetails";
import type { Json } from "../../src/document/json";
import { shapeOf } from "../../src/state/nodes/shape";
import { newNode } from "../../src/state/nodes/widgets";
import { builtinCatalog } from "../builtinCatalog";

const catalog = builtinCatalog();

function detail(type: string, values: Record<string, Json> = {}, shows = false) {
  const schema = catalog[type];
  if (schema === undefined) throw new Error(`There is no ${type}.`);
  const made = newNode(schema, 1, { x: 100, y: 50 }, 240);
  const node = { ...made, values: { ...made.values, ...values } };
  const { width, height } = shapeOf(node, schema, shows);
  const box = { x: 100, y: 20, width, height };
  return { ...detailOf(node, box, schema, shows), box };
}

test("each field is a shape within its node, and so is a picture", () => {
  const { fields, shown, box } = detail("KSampler");
  expect(fields.length).toBe(6);
  expect(shown).toBe(null);
  const picture = detail("SaveImage", {}, true);
  expect(picture.shown?.height).toBeGreaterThan(100);
  for (const each of [...fields, ...picture.fields]) {
    expect(each.x).toBeGreaterThan(100);
    expect(each.x + each.width).toBeLessThan(100 + box.width);
    expect(each.height).toBeGreaterThan(0);
  }
  for (const each of picture.fields) {
    expect(each.y + each.height).toBeLessThanOrEqual(20 + picture.box.height);
  }
});

test("the words are those of a prompt, or a file's name; other choices have none", () => {
  expect(detail("CLIPTextEncode", { text: "  a boat\n on   the sea" }).words?.text).toBe(
    "a boat on the sea",
  );
  expect(detail("CLIPTextEncode", { text: "" }).words).toBe(null);
  const file = { ckpt_name: "folder/sd15-pruned.safetensors" };
  expect(detail("CheckpointLoaderSimple", file).words?.text).toBe("sd15-pruned");
  expect(detail("LoraLoader", { lora_name: "a\\b.safetensors" }).words?.text).toBe("b");
  expect(detail("KSampler").words).toBe(null);
});

test("words are below the title, within the node where it has the height", () => {
  const node = { x: 0, y: 0, width: 240, height: 130 };
  const field = { x: 10, y: 98, width: 220, height: 20 };
  const room = belowTitle("Load Checkpoint", node, field, 0.3, 1);
  expect(room.y).toBe(98);
  expect(room.y + room.height).toBeLessThanOrEqual(130);
  const crowded = belowTitle("Load Checkpoint", node, { ...field, y: 40 }, 0.3, 2);
  expect(crowded.y).toBeGreaterThan(100);
});

/** LoRAs in prompts: which are offered, and how choosing one changes the graph. */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { overlaps } from "../../src/document/arrange";
import { labelOf } from "../../src/document/editLabel";
import type { Json } from "../../src/document/json";
import { refreshCatalog } from "../../src/state/catalog/catalog";
import { changeValue } from "../../src/state/editing/actions";
import { boxesOf } from "../../src/state/editing/boxes";
import { completionsFor } from "../../src/state/fields/completions";
import { threadOf } from "../../src/state/fields/fields";
import { loaderPosition, nameOfLora } from "../../src/state/fields/loras";
import { useAnnouncements } from "../../src/state/outcomes/announcements";
import { activeEditor } from "../../src/state/session/editor";
import { client } from "../../src/state/session/server";
import {
  activeTab,
  endThread,
  openWorkflow,
  redoEdit,
  showLevel,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";
import { sound } from "../document/sound";
import {
  CATALOG,
  FILES,
  graphOf,
  LOADED,
  type Made,
  PLAIN,
  prompt,
  sampler,
  WITHOUT,
} from "./encoders";

function open(nodes: readonly Made[]): void {
  openWorkflow(graphOf(nodes) as unknown as Json, { name: "loras" });
}

const FIELD = { node: "2", input: "text" };

/** Types a fragment into the prompt and takes the first completion, like the field does. */
async function takeFirst(word = "<lora:ink", place = FIELD) {
  const thread = threadOf(place.node, place.input);
  const write = (value: string) =>
    changeValue(activeEditor(), place.node, place.input, value, thread);
  write(`a boat, ${word}`);
  const [found] = await completionsFor(activeEditor(), word, place);
  if (found === undefined) throw new Error("nothing is offered");
  const taken = found.choose?.() ?? null;
  write(`a boat, ${found.insert ?? found.text}`);
  endThread(activeEditor());
  return { found, taken };
}

const loaders = () =>
  Object.values(activeTab().graph.nodes).filter((each) => each.type === "LoraLoader");
const textOf = (node: string) => activeTab().graph.nodes[node]?.values.text;
/** "1.0 > 5.model" for each wire. */
const wires = () => {
  const { nodes, links, linkOrder } = activeTab().graph;
  return linkOrder
    .flatMap((key) => {
      const link = links[key];
      if (link === undefined) return [];
      return `${link.from}.${link.fromSlot} > ${link.to}.${nodes[link.to]?.inputs[link.toSlot]?.name}`;
    })
    .sort();
};
const heard = () => useAnnouncements.getState().lines.at(-1)?.text;

beforeEach(() => {
  vi.restoreAllMocks();
  vi.spyOn(client, "embeddings").mockResolvedValue(["inkwell"]);
  vi.spyOn(client, "files").mockResolvedValue(["mine.csv"]);
  vi.spyOn(client, "load").mockResolvedValue("ink,0,9,\n");
  vi.spyOn(client, "models").mockResolvedValue(
    FILES.map((name) => ({ name, pathIndex: 0, size: 1, modified: 1 })),
  );
  useStudio.setState({ catalog: CATALOG });
  open(PLAIN);
});

describe("what is offered", () => {
  const offered = async (word: string) =>
    (await completionsFor(activeEditor(), word, FIELD)).map(
      ({ text, detail }) => `${text} (${detail})`,
    );

  test("by their sign all LoRAs, those whose own names begin so first", async () => {
    const loader = (name: string) => `${name} (LoRA, adds a loader)`;
    const all = FILES.map(nameOfLora);
    expect(all).toEqual(["style/ink", "Ink Wash", "thinker", "boat"]);
    for (const begun of ["<l", "<lora", "<LoRA:"]) {
      expect(await offered(begun)).toEqual(all.map(loader));
    }
    expect(await offered("<lora:ink")).toEqual(["style/ink", "Ink Wash", "thinker"].map(loader));
    expect(await offered("<lora:ink_w")).toEqual([loader("Ink Wash")]);
    expect(await offered("<lora:style/")).toEqual([loader("style/ink")]);
    expect(await offered("<lora:none")).toEqual([]);
  });

  test("by a plain word after tags and embeddings, though they be called the same", async () => {
    expect(await offered("style/ink")).toEqual(["style/ink (LoRA, adds a loader)"]);
    expect(await offered("ink")).toEqual([
      "ink (9)",
      "embedding:inkwell (embedding)",
      "style/ink (LoRA, adds a loader)",
      "Ink Wash (LoRA, adds a loader)",
      "thinker (LoRA, adds a loader)",
    ]);
    expect(await offered("embedding:ink")).toEqual(["embedding:inkwell (embedding)"]);
  });
});

test("the server's files are listed once, and again after it was looked through anew", async () => {
  vi.spyOn(client, "catalog").mockResolvedValue(CATALOG);
  vi.spyOn(client, "extensions").mockResolvedValue([]);
  await refreshCatalog();
  for (const word of ["<lora:", "<lora:i", "in"]) await completionsFor(activeEditor(), word, FIELD);
  expect(client.models).toHaveBeenCalledTimes(1);
  await refreshCatalog();
  await completionsFor(activeEditor(), "<lora:", FIELD);
  expect(client.models).toHaveBeenCalledTimes(2);
});

describe("choosing one", () => {
  test("loads it for all that the checkpoint feeds, in one edit that is heard", async () => {
    const before = wires();
    const { found, taken } = await takeFirst();
    expect(found).toMatchObject({ text: "style/ink", insert: "" });
    expect(textOf("2")).toBe("a boat, ");
    expect(loaders()).toMatchObject([{ key: "5", values: { lora_name: "style/ink.safetensors" } }]);
    const after = [
      "1.0 > 5.model",
      "1.1 > 5.clip",
      "2.0 > 4.positive",
      "5.0 > 4.model",
      "5.1 > 2.clip",
      "5.1 > 3.clip",
    ];
    expect(wires()).toEqual(after);
    sound(activeTab().workflow);
    expect(heard()).toBe("The LoRA style/ink is loaded by LoraLoader");
    expect(activeTab().selected).toEqual([]);

    expect(activeTab().log.done.map((each) => each.label)).toEqual([
      labelOf("Change {{name}}", { name: "text" }),
      labelOf("Load the LoRA {{name}}", { name: "style/ink" }),
    ]);
    undoEdit(activeEditor());
    expect([loaders(), textOf("2"), wires()]).toEqual([[], "a boat, <lora:ink", before]);
    redoEdit(activeEditor());
    expect([textOf("2"), wires()]).toEqual(["a boat, ", after]);
    expect(taken?.undo()).toBe(true);
    expect([loaders(), textOf("2"), wires()]).toEqual([[], "a boat, <lora:ink", before]);
    expect(taken?.redo()).toBe(true);
    expect(wires()).toEqual(after);
  });

  test("lies on no other node", async () => {
    await takeFirst();
    const all = [...boxesOf(activeEditor())];
    const hits = all.filter(([key, box]) =>
      all.some(([other, its]) => key !== other && overlaps(box, its)),
    );
    expect(hits).toEqual([]);
  });

  test("the box's undo takes it back past its own typing, and past nothing else", async () => {
    const { taken } = await takeFirst();
    const thread = threadOf("2", "text");
    changeValue(activeEditor(), "2", "text", "a boat, at sea", thread);
    changeValue(activeEditor(), "2", "text", "a boat, ", thread);
    expect(taken?.undo()).toBe(true);
    expect([loaders().length, textOf("2")]).toEqual([0, "a boat, <lora:ink"]);
    expect(taken?.redo()).toBe(true);
    changeValue(activeEditor(), "3", "text", "blurry");
    expect(taken?.undo()).toBe(false);
    expect([loaders().length, textOf("3")]).toEqual([1, "blurry"]);
  });

  test("twice adds nothing, which is said before and heard after", async () => {
    await takeFirst();
    const before = wires();
    const other = { node: "3", input: "text" };
    const { found, taken } = await takeFirst("<lora:ink", other);
    expect([found.detail, taken]).toEqual(["LoRA, loaded already", null]);
    expect([wires(), textOf("3")]).toEqual([before, "a boat, "]);
    expect(heard()).toBe("The LoRA style/ink is loaded already");
  });

  test("goes behind the source, past other loaders and what skips layers", async () => {
    open([
      { id: 1, type: "Checkpoint", gives: ["MODEL", "CLIP", "VAE"] },
      {
        ...LOADED,
        id: 6,
        takes: [
          ["model", "MODEL", 1, 0],
          ["clip", "CLIP", 1, 1],
        ],
        values: ["boat.safetensors", 1, 1],
      },
      { id: 7, type: "CLIPSetLastLayer", takes: [["clip", "CLIP", 6, 1]], gives: ["CLIP"] },
      prompt(2, "Encode", 7, 0),
      sampler(4, 6, 0, 2),
    ]);
    expect(loaderPosition(activeEditor(), FIELD)?.loaded).toEqual(new Set(["boat.safetensors"]));
    await takeFirst();
    expect(wires()).toEqual([
      "1.0 > 8.model",
      "1.1 > 8.clip",
      "2.0 > 4.positive",
      "6.0 > 4.model",
      "6.1 > 7.clip",
      "7.0 > 2.clip",
      "8.0 > 6.model",
      "8.1 > 6.clip",
    ]);
  });

  test("goes behind the first loader where model and encoder come from files of their own", async () => {
    open([
      { id: 1, type: "CLIPLoader", gives: ["CLIP"] },
      { ...LOADED, id: 6, takes: [["clip", "CLIP", 1, 0]], values: ["boat.safetensors", 1, 1] },
      prompt(2, "Encode", 6, 1),
    ]);
    await takeFirst();
    expect(wires()).toEqual(["1.0 > 6.clip", "6.0 > 7.model", "6.1 > 7.clip", "7.1 > 2.clip"]);
  });

  test("inside a subgraph changes the level shown, even where its inputs bring both", async () => {
    const inside = graphOf([
      {
        id: 2,
        type: "Encode",
        takes: [["clip", "CLIP", -10, 1]],
        gives: ["CONDITIONING"],
        values: ["a boat, in"],
      },
      sampler(4, -10, 0, 2),
    ]);
    const links = inside.links.map(([id, origin_id, origin_slot, target_id, target_slot, type]) => {
      return { id, origin_id, origin_slot, target_id, target_slot, type };
    });
    const port = (name: string, slot: number) => ({
      id: name,
      name,
      type: name,
      linkIds: links.flatMap((each) =>
        each.origin_slot === slot && each.origin_id < 0 ? each.id : [],
      ),
    });
    openWorkflow(
      {
        nodes: [{ id: 9, type: "inner", inputs: [], outputs: [], widgets_values: [] }],
        links: [],
        version: 0.4,
        definitions: {
          subgraphs: [
            {
              ...inside,
              id: "inner",
              version: 1,
              name: "Inner",
              links,
              inputs: [port("MODEL", 0), port("CLIP", 1)],
              outputs: [],
            },
          ],
        },
      } as unknown as Json,
      { name: "inner" },
    );
    showLevel(activeEditor(), ["9"]);
    await takeFirst();
    const [loader] = loaders();
    expect(wires()).toEqual(
      [
        "-10.0 > 5.model",
        "-10.1 > 5.clip",
        "2.0 > 4.positive",
        "5.0 > 4.model",
        "5.1 > 2.clip",
      ].sort(),
    );
    expect(loader?.key).toBe("5");
    expect(Object.keys(activeTab().workflow.nodes)).toEqual(["9"]);
    sound(activeTab().workflow);
  });
});

describe("the tag it is", () => {
  const tag = { text: "style/ink", insert: "<lora:style/ink:1>", detail: "LoRA tag" };
  const first = async (place: { node: string; input: string } | null = FIELD) =>
    (await completionsFor(activeEditor(), "<lora:ink", place))[0];

  test("where no field is known, or none of these nodes loads it", async () => {
    expect(await first(null)).toEqual(tag);
    expect(await first({ node: "99", input: "text" })).toEqual(tag);
    useStudio.setState({ catalog: WITHOUT });
    expect(await first()).toEqual(tag);
    await takeFirst();
    expect([textOf("2"), loaders()]).toEqual(["a boat, <lora:style/ink:1>", []]);
  });

  test("in a plugin's node, which reads tags itself", async () => {
    open([
      { id: 1, type: "Checkpoint", gives: ["MODEL", "CLIP", "VAE"] },
      prompt(2, "PluginEncode", 1, 1),
    ]);
    expect(await first()).toEqual(tag);
  });

  test("where nothing upstream has model and encoder, or it is not one wire", async () => {
    open([{ id: 1, type: "CLIPLoader", gives: ["CLIP"] }, prompt(2, "Encode", 1, 0)]);
    expect(await first()).toEqual(tag);
    open([{ id: 2, type: "Encode", gives: ["CONDITIONING"], values: ["a"] }]);
    expect(await first()).toEqual(tag);
    open([
      { id: 1, type: "Checkpoint", gives: ["MODEL", "CLIP", "VAE"] },
      {
        id: 5,
        type: "Merge",
        takes: [
          ["clip1", "CLIP", 1, 1],
          ["clip2", "CLIP", 1, 1],
        ],
        gives: ["CLIP"],
      },
      prompt(2, "Encode", 5, 0),
    ]);
    expect(await first()).toEqual(tag);
  });
});

/** Documents made at random from pieces of workflows: none crashes the reader, none loses a value. */
import { describe, expect, test } from "vitest";
import {
  isObject,
  type Json,
  type JsonObject,
  parseJson,
  writeJson,
} from "../../src/document/json";
import { NotAWorkflowError, readGraph } from "../../src/document/read";
import { repairLevel } from "../../src/document/repair";
import { UserError } from "../../src/document/userError";
import { writeGraph } from "../../src/document/write";

/** A generator of numbers from 0 to 1 with a seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const IDS: readonly Json[] = [1, 2, 3, "4", -10, -20, null, 1.5, "a", true];
const TYPES: readonly Json[] = ["A", "sub", "other", "Reroute", "PrimitiveNode", "", 3, null];
const ODD: readonly Json[] = [
  null,
  0,
  -1,
  "x",
  true,
  [],
  {},
  [1, "y"],
  { a: 1 },
  1e300,
  "__proto__",
];

class Maker {
  constructor(private readonly next: () => number) {}
  pick = (from: readonly Json[]): Json => from[Math.floor(this.next() * from.length)] ?? null;
  chance = (share: number): boolean => this.next() < share;
  some = (most: number, make: () => Json): Json[] =>
    Array.from({ length: Math.floor(this.next() * (most + 1)) }, make);
  or = (make: () => Json): Json => (this.chance(0.1) ? this.pick(ODD) : make());

  slot = (): Json =>
    this.or(() => ({
      name: this.pick(["x", "y", "", null]),
      type: this.pick(["IMAGE", "*", "INT", 0]),
      link: this.pick(IDS),
      links: this.or(() => this.some(3, () => this.pick(IDS))),
      ...(this.chance(0.3) ? { widget: this.or(() => ({ name: "x" })) } : {}),
    }));

  node = (): Json =>
    this.or(() => ({
      id: this.pick(IDS),
      type: this.pick(TYPES),
      mode: this.pick([0, 2, 4, "x", null]),
      pos: this.or(() => [1, 2]),
      inputs: this.or(() => this.some(3, this.slot)),
      outputs: this.or(() => this.some(2, this.slot)),
      widgets_values: this.or(() =>
        this.chance(0.2) ? { x: this.pick(ODD) } : this.some(4, () => this.pick(ODD)),
      ),
      properties: this.or(() => ({
        proxyWidgets: this.or(() => [
          ["-1", "x"],
          ["5", "y"],
        ]),
      })),
    }));

  link = (): Json =>
    this.or(() => {
      const [id, from, to] = [this.pick(IDS), this.pick(IDS), this.pick(IDS)];
      const [origin, target] = [this.pick([0, 1, "0", null]), this.pick([0, 1, 9])];
      if (this.chance(0.5)) return [id, from, origin, to, target, "IMAGE"];
      return { id, origin_id: from, origin_slot: origin, target_id: to, target_slot: target };
    });

  level = (): JsonObject => ({
    nodes: this.some(6, this.node),
    links: this.or(() => this.some(8, this.link)),
    groups: this.or(() => this.some(2, () => this.pick(ODD))),
    version: this.pick([0.4, 1, "x"]),
    ...(this.chance(0.3) ? { extra: this.pick(ODD) } : {}),
    ...(this.chance(0.3) ? { state: this.pick(ODD) } : {}),
  });

  document = (): JsonObject => ({
    ...this.level(),
    definitions: this.or(() => ({
      subgraphs: this.or(() =>
        this.some(3, () => ({
          ...this.level(),
          id: this.pick(["sub", "other", null]),
          inputs: this.or(() => this.some(2, this.slot)),
          outputs: this.or(() => this.some(2, this.slot)),
        })),
      ),
    })),
  });
}

/** All values that nodes of a level hold, as text. */
function valuesIn(level: Json): string[] {
  const nodes = isObject(level) && Array.isArray(level.nodes) ? level.nodes : [];
  return nodes
    .map((each) => writeJson(isObject(each) ? (each.widgets_values ?? null) : each))
    .sort();
}

describe.each(Array.from({ length: 8 }, (_, index) => index))("random documents %i", (block) => {
  test("are read, repaired and written with all values", () => {
    for (let index = 0; index < 25; index += 1) {
      const seed = block * 1000 + index;
      const file = new Maker(random(seed)).document();
      const given = writeJson(file);
      try {
        const written = writeGraph(readGraph(parseJson(given), () => undefined));
        expect(valuesIn(written), `seed ${seed}`).toEqual(valuesIn(file));
        const again = writeGraph(readGraph(parseJson(writeJson(written)), () => undefined));
        expect(valuesIn(again), `seed ${seed}`).toEqual(valuesIn(file));
        repairLevel(file, false);
      } catch (error) {
        if (error instanceof UserError || error instanceof NotAWorkflowError) continue;
        throw new Error(`seed ${seed}: ${given.slice(0, 2000)}`, { cause: error });
      }
    }
  });
});

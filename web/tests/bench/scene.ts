/**
 * The measured graph: N nodes in a grid, each with 3 inputs, 3 outputs and 3 fields, and nearly 2 N
 * wires. As plain data: the studio opens it as a workflow, the plain page renders it directly.
 */
import type { Page } from "playwright-core";

const KIND = "BenchNode";
export const TYPES = ["MODEL", "CONDITIONING", "IMAGE"] as const;
/** As many choices as a sampler's list has. */
export const SAMPLERS = Array.from({ length: 44 }, (_, index) => `sampler_${index + 1}`);
export const WIDTH = 240;
export const HEIGHT = 200;
const ACROSS = 300;
const DOWN = 250;

export interface Scene {
  nodes: { id: number; x: number; y: number }[];
  links: { id: number; from: number; to: number; slot: number }[];
}

export function sceneOf(count: number): Scene {
  const columns = Math.ceil(Math.sqrt(count * 1.5));
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    x: (index % columns) * ACROSS,
    y: Math.floor(index / columns) * DOWN,
  }));
  const links: Scene["links"] = [];
  const join = (from: number, to: number, slot: number) => {
    links.push({ id: links.length + 1, from: from + 1, to: to + 1, slot });
  };
  for (let index = 0; index < count; index += 1) {
    if ((index + 1) % columns !== 0 && index + 1 < count) join(index, index + 1, 0);
    if (index + columns < count) join(index, index + columns, 1);
  }
  return { nodes, links };
}

const DENSE = 14;

/** Nodes in rows, each connected to the next by three wires. */
export function denseOf(count: number): Scene {
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    x: (index % DENSE) * (WIDTH + 60),
    y: Math.floor(index / DENSE) * (HEIGHT + 15),
  }));
  const links = nodes
    .filter(({ id }) => id % DENSE !== 0 && id < count)
    .flatMap(({ id }) => TYPES.map((_, slot) => ({ from: id, to: id + 1, slot })))
    .map((each, index) => ({ id: index + 1, ...each }));
  return { nodes, links };
}

/** The scene as a saved workflow. */
export function workflowOf({ nodes, links }: Scene): string {
  const into = new Map(links.map((each) => [`${each.to} ${each.slot}`, each.id]));
  const from = new Map(links.map((each) => [`${each.from} ${each.slot}`, each.id]));
  return JSON.stringify({
    version: 0.4,
    nodes: nodes.map(({ id, x, y }) => ({
      id,
      type: KIND,
      pos: [x, y],
      size: [WIDTH, HEIGHT - 30],
      inputs: TYPES.map((type, slot) => ({
        name: `in${slot}`,
        type,
        link: into.get(`${id} ${slot}`) ?? null,
      })),
      outputs: TYPES.map((type, slot) => {
        const link = from.get(`${id} ${slot}`);
        return { name: type, type, links: link === undefined ? [] : [link] };
      }),
      widgets_values: [SAMPLERS[0], 7.5, `node ${id}`],
    })),
    links: links.map(({ id, from, to, slot }) => [id, from, slot, to, slot, TYPES[slot]]),
  });
}

/**
 * Adds the class of these nodes to the page's catalog, and answers requests about it, as the server
 * does not have it.
 */
export async function teachScene(page: Page): Promise<void> {
  const described = {
    input: {
      required: {
        ...Object.fromEntries(TYPES.map((type, slot) => [`in${slot}`, [type]])),
        sampler: [SAMPLERS],
        scale: ["FLOAT", { default: 7.5 }],
        text: ["STRING", { default: "" }],
      },
    },
    output: TYPES,
    output_name: TYPES,
    display_name: "Bench node",
    category: "bench",
  };
  await page.route("**/object_info", async (route) => {
    try {
      const answer = await route.fetch();
      const catalog = (await answer.json()) as Record<string, unknown>;
      await route.fulfill({ response: answer, json: { ...catalog, [KIND]: described } });
    } catch (error) {
      // A page that is closed while it reads the catalog again needs no answer.
      if (!page.isClosed()) throw error;
    }
  });
  await page.route("**/calotype/check", (route) =>
    route.fulfill({ json: { prompt: {}, report: { error: null, node_errors: {} } } }),
  );
}

/** The target under a pulled wire, the verdict on a drop, and the result of the drop. */

import { beforeEach, describe, expect, test } from "vitest";
import { readCatalog } from "../../src/api/catalog";
import { placeOf } from "../../src/canvas/socketPlaces";
import { targetAt } from "../../src/canvas/targetAt";
import type { Point } from "../../src/document/graph";
import { dropPull } from "../../src/state/editing/drop";
import {
  markOf,
  newPull,
  type Pull,
  pulledAt,
  pullFrom,
  type Target,
} from "../../src/state/editing/pull";
import type { Pulled } from "../../src/state/finding/fitting";
import { activeEditor } from "../../src/state/session/editor";
import {
  activeTab,
  openWorkflow,
  setCatalog,
  undoEdit,
  useStudio,
} from "../../src/state/session/studio";
import { useView } from "../../src/state/session/view";

const CATALOG = readCatalog({
  Loader: {
    input: { required: {} },
    output: ["MODEL", "CLIP"],
    output_name: ["MODEL", "CLIP"],
  },
  Encode: {
    input: { required: { clip: ["CLIP"], text: ["STRING", { default: "" }] } },
    output: ["CONDITIONING"],
    output_name: ["CONDITIONING"],
  },
  Sampler: {
    input: {
      required: {
        model: ["MODEL"],
        positive: ["CONDITIONING"],
        negative: ["CONDITIONING"],
        seed: ["INT", { default: 0 }],
      },
    },
    output: ["LATENT"],
    output_name: ["LATENT"],
  },
  Decode: {
    input: { required: { samples: ["LATENT"] } },
    output: ["IMAGE"],
    output_name: ["IMAGE"],
  },
  Save: { input: { required: { images: ["IMAGE"] } }, output: [], output_name: [] },
  Refine: {
    input: { required: { given: ["CONDITIONING"] } },
    output: ["CONDITIONING"],
    output_name: ["CONDITIONING"],
  },
  Whole: { input: { required: {} }, output: ["INT"], output_name: ["INT"] },
});

const KINDS = ["Loader", "Encode", "Sampler", "Save", "Whole", "Encode", "Refine", "Refine"];
const APART = 400;

/** Nodes in a row: the loader feeds the first text, and that feeds the sampler. */
beforeEach(() => {
  useStudio.setState({ tabs: [], catalog: {} });
  useView.setState({ notice: null, palette: null });
  setCatalog(CATALOG);
  const nodes = KINDS.map((type, index) => ({
    id: index + 1,
    type,
    pos: [index * APART, 0],
    size: [200, 160],
    inputs: [] as object[],
    outputs: [] as object[],
  }));
  const [loader, encode, sampler] = nodes;
  loader?.outputs.push(
    { name: "MODEL", type: "MODEL", links: [] },
    { name: "CLIP", type: "CLIP", links: [1] },
  );
  encode?.inputs.push({ name: "clip", type: "CLIP", link: 1 });
  encode?.outputs.push({ name: "CONDITIONING", type: "CONDITIONING", links: [2] });
  sampler?.inputs.push({ name: "positive", type: "CONDITIONING", link: 2 });
  const links = [
    [1, 1, 1, 2, 0, "CLIP"],
    [2, 2, 0, 3, 0, "CONDITIONING"],
  ];
  openWorkflow({ nodes, links, version: 0.4 } as never, { name: "pulled" });
});

const at = (node: string, socket: string, side: Pulled["side"]): Pulled => {
  const found = pulledAt(activeEditor(), node, socket, side);
  if (found === null) throw new Error(`there is no node ${node}`);
  return found;
};
const from = (node: string, socket: string, side: Pulled["side"], keys = ""): Pull => {
  const pull = pullFrom(activeEditor(), [at(node, socket, side)], keys === "alt", keys === "shift");
  if (pull === null) throw new Error("nothing is pulled");
  return pull;
};
/** In graph coordinates: the socket itself, or the empty part of a node. */
const on = (node: string, socket: string, side: Pulled["side"]): Point => {
  const place = placeOf(activeEditor(), at(node, socket, side));
  if (place === null) throw new Error(`${socket} is not drawn`);
  return place;
};
const body = (node: string): Point => ({ x: (Number(node) - 1) * APART + 100, y: -15 });
const EMPTY: Point = { x: 100, y: 900 };

const brief = (target: Target) =>
  target.kind === "nothing" || target.kind === "outside"
    ? target.kind
    : `${target.kind}: ${target.verdict.refusal ?? target.verdict.socket}`;
const drop = (pull: Pull, place: Point, zoom = 1) => {
  const target = targetAt(activeEditor(), pull, place, zoom);
  dropPull(activeEditor(), pull, target, { screen: place, at: place });
  return brief(target);
};
const links = () => {
  const { graph } = activeTab();
  return graph.linkOrder
    .flatMap((key) => graph.links[key] ?? [])
    .map((each) => {
      const input = graph.nodes[each.to]?.inputs[each.toSlot]?.name;
      return `${each.key}: ${each.from}.${each.fromSlot} > ${each.to}.${input}`;
    });
};
const START = ["1: 1.1 > 2.clip", "2: 2.0 > 3.positive"];

describe("what is pulled", () => {
  test("a free input and an output begin a new wire", () => {
    expect(from("3", "negative", "input")).toMatchObject({ seeks: "output", detached: null });
    expect(from("2", "0", "output")).toMatchObject({ seeks: "input", detached: null });
  });

  test("a connected input gives its wire up, with Alt it begins a new one", () => {
    const taken = from("3", "positive", "input");
    expect(taken).toMatchObject({ seeks: "input", detached: { links: ["2"], node: "3" } });
    expect(taken.from).toMatchObject([{ node: "2", socket: "0", side: "output" }]);
    expect(from("3", "positive", "input", "alt").detached).toBeNull();
  });

  test("Shift takes all wires of an output; where it has none, it begins a new one", () => {
    expect(from("2", "0", "output", "shift")).toMatchObject({
      seeks: "output",
      detached: { links: ["2"], node: "2", socket: "0" },
    });
    expect(from("6", "0", "output", "shift").detached).toBeNull();
  });
});

describe("what a place is", () => {
  test("a socket, a field, a body, a wire, nothing, and where it was pulled from", () => {
    const pull = newPull([at("6", "0", "output")]);
    const what = (place: Point) => brief(targetAt(activeEditor(), pull, place, 1));
    expect(what(on("3", "negative", "input"))).toBe("socket: negative");
    expect(what(on("3", "model", "input"))).toBe("socket: model takes MODEL, not CONDITIONING.");
    expect(what(body("3"))).toBe("body: negative");
    expect(what(body("4"))).toBe("body: Save has no input that takes CONDITIONING.");
    expect(what(body("6"))).toBe("body: A node cannot be connected to itself.");
    expect(what(EMPTY)).toBe("nothing");
    expect(what(on("6", "0", "output"))).toBe("outside");
    const whole = newPull([at("5", "0", "output")]);
    const { x, y } = on("3", "seed", "input");
    expect(brief(targetAt(activeEditor(), whole, { x: x + 90, y }, 1))).toBe("field: seed");
  });

  test("a row that is pointed at comes before what fits best", () => {
    const pull = newPull([at("6", "0", "output")]);
    const { x, y } = on("3", "positive", "input");
    expect(brief(targetAt(activeEditor(), pull, { x: x + 60, y }, 1))).toBe("body: positive");
  });

  test("of sockets on one place, the one that fits what is under the pointer", () => {
    const pull = newPull([at("1", "0", "output"), at("1", "1", "output")]);
    const [model, clip] = [body("3"), body("6")].map((place) =>
      targetAt(activeEditor(), pull, place, 1),
    );
    expect([model, clip].map((each) => each && "verdict" in each && each.verdict.ends)).toEqual([
      [{ from: "1", slot: 0, to: "3", input: "model" }],
      [{ from: "1", slot: 1, to: "6", input: "clip" }],
    ]);
  });

  test("a circle is refused on the socket and on the body, and does not light", () => {
    drop(from("7", "0", "output"), body("8"));
    const back = newPull([at("8", "0", "output")]);
    const circle = "The wires would form a cycle.";
    expect(brief(targetAt(activeEditor(), back, on("7", "given", "input"), 1))).toBe(
      `socket: ${circle}`,
    );
    expect(brief(targetAt(activeEditor(), back, body("7"), 1))).toBe(`body: ${circle}`);
    expect(markOf(activeEditor(), back, at("7", "given", "input"))).toBe("dim");
    expect(markOf(activeEditor(), back, at("3", "negative", "input"))).toBe("fit");
    expect(markOf(activeEditor(), back, at("8", "0", "output"))).toBe("held");
  });
});

describe("what a drop does", () => {
  test("over nothing a new wire is offered nodes, a moved one is gone; each is one step", () => {
    drop(from("6", "0", "output"), EMPTY);
    expect(useView.getState().palette?.pulled).toMatchObject({ node: "6", socket: "0" });
    expect(links()).toEqual(START);
    useView.setState({ palette: null });
    drop(from("3", "positive", "input"), EMPTY);
    expect(useView.getState().palette).toBeNull();
    expect(links()).toEqual(START.slice(0, 1));
    undoEdit(activeEditor());
    expect(links()).toEqual(START);
  });

  test("a moved wire stays the link that it is, and what it displaces comes back with it", () => {
    drop(from("6", "0", "output"), body("3"));
    const both = [...START, "3: 6.0 > 3.negative"];
    expect(links()).toEqual(both);
    drop(from("3", "positive", "input"), on("3", "negative", "input"));
    expect(links()).toEqual(["1: 1.1 > 2.clip", "2: 2.0 > 3.negative"]);
    undoEdit(activeEditor());
    expect(links()).toEqual(both);
  });

  test("what is refused changes nothing, says so, and offers what goes between", () => {
    const { done } = activeTab().log;
    expect(drop(from("3", "positive", "input"), body("4"))).toContain("Save has no input");
    expect(useView.getState().notice?.text).toContain("Save has no input that takes CONDITIONING");
    expect(drop(from("3", "0", "output"), on("4", "images", "input"))).toContain("takes IMAGE");
    expect(useView.getState().notice?.action?.label).toBe("Insert Decode between");
    expect(links()).toEqual(START);
    expect(activeTab().log.done).toBe(done);
  });

  test("on its own node, and on its own socket, a moved wire goes home without a step", () => {
    const { done } = activeTab().log;
    drop(from("3", "positive", "input"), body("3"));
    drop(from("3", "positive", "input"), on("3", "positive", "input"));
    expect(activeTab().log.done).toBe(done);
    expect(links()).toEqual(START);
  });

  test("all wires of an output go to another one, and are gone over nothing", () => {
    drop(from("2", "0", "output", "shift"), body("6"));
    expect(links()).toEqual(["1: 1.1 > 2.clip", "2: 6.0 > 3.positive"]);
    drop(from("6", "0", "output", "shift"), EMPTY);
    expect(links()).toEqual(["1: 1.1 > 2.clip"]);
  });

  test("a wire that is gone by now is not brought back by its drop", () => {
    const pull = from("3", "positive", "input");
    drop(from("3", "positive", "input"), EMPTY);
    drop(pull, on("3", "negative", "input"));
    expect(links()).toEqual(START.slice(0, 1));
  });

  test("what is joined already takes no other wire's place by its node's body", () => {
    drop(from("6", "0", "output"), body("3"));
    const now = links();
    expect(drop(from("2", "0", "output"), body("3"))).toBe("body: These are connected already.");
    expect(links()).toEqual(now);
  });
});

/**
 * Auto-layout of the document or of the selection: collects sizes and wires, and applies the
 * positions computed by `document/autoLayout.ts`.
 */

import { type Box, encloses } from "../../document/arrange";
import { autoLayout, type LayoutTask } from "../../document/autoLayout";
import { moveNodes } from "../../document/edit";
import {
  contentsOf,
  FRAME_PADDING,
  FRAME_TITLE,
  fitToBoxes,
  frameBox,
  frameOf,
  framesIn,
  moveContents,
  nodesIn,
} from "../../document/frames";
import type { Graph, Point } from "../../document/graph";
import type { LayoutEdge } from "../../document/straighten";
import { t } from "../../words/words";
import { foldedEnds, foldingOf } from "../nodes/folding";
import { bodyAt } from "../nodes/shape";
import type { Editor } from "../session/editor";
import { edit, graphAt } from "../session/studio";
import { notify } from "../session/view";
import { animateMove } from "./arranging";
import { boxesOf, boxOf, pinnedOf } from "./boxes";
import { endsOf } from "./wires";

const FRAME_MARGIN = {
  before: { x: FRAME_PADDING, y: FRAME_PADDING + FRAME_TITLE },
  after: { x: FRAME_PADDING, y: FRAME_PADDING },
};
/** Keys of frames can equal keys of nodes; these prefixes tell them apart among boxes. */
const FOLD_PREFIX = "folded frame ";
const FRAME_PREFIX = "frame ";

/**
 * Lays out these nodes, except pinned ones. A frame that is completely among them stays together.
 */
export async function layOutNodes(editor: Editor, keys: readonly string[]): Promise<void> {
  const { graph, id, level } = editor.tab;
  const pinned = pinnedOf(editor, keys);
  const unpinned = keys.filter((key) => !pinned.has(key));
  const task = taskOf(editor, graph, unpinned);
  if (task.boxes.size < 2) return;
  const places = await computeLayout(task);
  if (graphAt({ id, level }) !== graph) {
    notify(t("The graph changed while it was being tidied, so no node was moved."));
    return;
  }
  animateMove();
  edit({ id, level }, "Tidy", (draft) => applyLayout(editor, draft, graph, places));
}

/** From this number of boxes on, the layout takes so long that it runs in a web worker. */
const WORKER_FROM = 60;

function computeLayout(task: LayoutTask): Promise<ReadonlyMap<string, Box>> {
  if (task.boxes.size <= WORKER_FROM || typeof Worker === "undefined") return autoLayout(task);
  return new Promise((done, fail) => {
    const worker = new Worker(new URL("../../document/autoLayoutWorker.ts", import.meta.url), {
      type: "module",
    });
    worker.onmessage = ({ data }: MessageEvent<ReadonlyMap<string, Box>>) => {
      worker.terminate();
      done(data);
    };
    worker.onerror = ({ message }) => {
      worker.terminate();
      fail(new Error(t("The graph could not be tidied: {{message}}", { message })));
    };
    worker.postMessage(task);
  });
}

function taskOf(editor: Editor, graph: Graph, keys: readonly string[]): LayoutTask {
  const { folds, hidden } = foldingOf(graph);
  const chosen = new Set(keys);
  const boxes = new Map(boxesOf(editor, keys));
  for (const { group, width, height } of folds) {
    const members = Object.keys(contentsOf(graph, group).nodes);
    if (members.length > 0 && members.every((key) => chosen.has(key))) {
      boxes.set(FOLD_PREFIX + group.key, { ...group.position, width, height });
    }
  }
  return {
    boxes,
    edges: edgesOf(editor, graph, hidden),
    parents: parentsOf(graph, chosen),
    margin: FRAME_MARGIN,
  };
}

function edgesOf(editor: Editor, graph: Graph, hidden: ReadonlyMap<string, string>): LayoutEdge[] {
  const { catalog } = editor;
  const name = (key: string) => (hidden.has(key) ? FOLD_PREFIX + hidden.get(key) : key);
  const top = (key: string): number => {
    const folded = hidden.get(key);
    if (folded !== undefined) return frameOf(graph, folded)?.position.y ?? 0;
    const node = graph.nodes[key];
    return node === undefined ? 0 : boxOf(editor, node).y;
  };
  return graph.linkOrder.flatMap((key): LayoutEdge[] => {
    const link = graph.links[key];
    const ends = link && !foldedEnds(graph, link).within ? endsOf(graph, link, catalog) : null;
    if (link === undefined || ends === null) return [];
    return [
      {
        from: name(link.from),
        to: name(link.to),
        fromY: ends.source.y - top(link.from),
        toY: ends.target.y - top(link.to),
      },
    ];
  });
}

/** The parent frame of each box, for frames whose contents are all laid out. */
function parentsOf(graph: Graph, chosen: ReadonlySet<string>): Map<string, string> {
  const { hiddenFrames, folds } = foldingOf(graph);
  const folded = new Set(folds.map((each) => each.group.key));
  const wholeFrames = graph.groups
    .filter((each) => !hiddenFrames.has(each.key))
    .filter((each) => {
      const members = Object.keys(contentsOf(graph, each).nodes);
      return members.length > 0 && members.every((key) => chosen.has(key));
    })
    .sort((one, other) => area(one.size) - area(other.size));
  const parents = new Map<string, string>();
  wholeFrames.forEach((group, index) => {
    const name = (folded.has(group.key) ? FOLD_PREFIX : FRAME_PREFIX) + group.key;
    const outer = wholeFrames
      .slice(index + 1)
      .find((each) => !folded.has(each.key) && encloses(frameBox(each), frameBox(group)));
    if (outer !== undefined) parents.set(name, FRAME_PREFIX + outer.key);
    if (folded.has(group.key)) return;
    for (const key of nodesIn(graph, group)) if (!parents.has(key)) parents.set(key, name);
  });
  return parents;
}

function area({ width, height }: { width: number; height: number }): number {
  return width * height;
}

/** Applies the positions; frames are resized to the contents they had before. */
function applyLayout(
  editor: Editor,
  draft: Graph,
  before: Graph,
  places: ReadonlyMap<string, Box>,
): void {
  const corners: Record<string, Point> = {};
  for (const [key, { x, y }] of places) {
    if (!key.startsWith(FOLD_PREFIX)) {
      corners[key] = bodyAt({ x, y });
      continue;
    }
    const group = frameOf(before, key.slice(FOLD_PREFIX.length));
    if (group === undefined) continue;
    const by = { x: x - group.position.x, y: y - group.position.y };
    moveContents(draft, contentsOf(before, group), by);
  }
  moveNodes(draft, corners);
  const { hiddenFrames, folds } = foldingOf(before);
  const folded = new Map(folds.map((each) => [each.group.key, each]));
  const open = before.groups
    .filter((each) => !hiddenFrames.has(each.key) && !folded.has(each.key))
    .sort((one, other) => area(one.size) - area(other.size));
  for (const group of open) {
    const members = nodesIn(before, group).filter((key) => draft.nodes[key] !== undefined);
    if (!members.some((key) => key in corners)) continue;
    const frame = frameOf(draft, group.key);
    if (frame === undefined) continue;
    const inner = framesIn(before, group).flatMap((each): Box[] => {
      const now = frameOf(draft, each.key);
      if (now === undefined || hiddenFrames.has(each.key)) return [];
      const fold = folded.get(each.key);
      return [fold === undefined ? frameBox(now) : { ...now.position, ...sizeOf(fold) }];
    });
    fitToBoxes(frame, [...members.flatMap((key) => boxNow(editor, draft, before, key)), ...inner]);
  }
}

function sizeOf({ width, height }: { width: number; height: number }) {
  return { width, height };
}

function boxNow(editor: Editor, draft: Graph, before: Graph, key: string): Box[] {
  const [now, then] = [draft.nodes[key], before.nodes[key]];
  if (now === undefined || then === undefined || foldingOf(before).hidden.has(key)) return [];
  const box = boxOf(editor, then);
  return [
    {
      ...box,
      x: box.x + now.position.x - then.position.x,
      y: box.y + now.position.y - then.position.y,
    },
  ];
}

/**
 * Frames in the overview, where they are painted: they can be dragged by the title, and a folded
 * frame anywhere. Computes where titles are, for painting and for dragging.
 */
import { type Box, containsPoint, overlaps } from "../document/arrange";
import type { Graph, Group, Point } from "../document/graph";
import { foldingOf } from "../state/nodes/folding";

export const FONT = "inter, system-ui, sans-serif";
/** The width of a letter as a share of its height, approximately. */
export const LETTER = 0.58;

export interface FrameTitle {
  group: Group;
  text: string;
  /** The height of its letters, and the box behind them, in graph coordinates. */
  letter: number;
  box: Box;
}

/** Measures the width of a text in letters of a height. */
type Ruler = (text: string, letter: number) => number;

export function fontOf(letter: number): string {
  return `700 ${letter}px ${FONT}`;
}

export function rulerOf(context: Pick<CanvasRenderingContext2D, "font" | "measureText">): Ruler {
  return (text, letter) => {
    context.font = fontOf(letter);
    return context.measureText(text).width;
  };
}

/** The frames that are not folded. */
export function openFrames(graph: Graph): Group[] {
  const { folds, hiddenFrames } = foldingOf(graph);
  const folded = new Set(folds.map(({ group }) => group.key));
  return graph.groups.filter(({ key }) => !folded.has(key) && !hiddenFrames.has(key));
}

/** The titles to paint, largest frames first: a title that would overlap another is left out. */
export function frameTitles(groups: readonly Group[], zoom: number, ruler: Ruler): FrameTitle[] {
  const titles: FrameTitle[] = [];
  for (const group of [...groups].sort((one, other) => areaOf(other) - areaOf(one))) {
    const title = titleOf(group, zoom, ruler);
    if (title === null || titles.some((each) => overlaps(each.box, title.box))) continue;
    titles.push(title);
  }
  return titles;
}

function titleOf(group: Group, zoom: number, ruler: Ruler): FrameTitle | null {
  const { title, position, size } = group;
  const widest = size.width / (title.length * LETTER + 1);
  const letter = Math.min(20 / zoom, Math.max(widest, 11 / zoom), size.height / 2);
  if (title === "" || letter * zoom < 8) return null;
  const pad = letter * 0.35;
  const letters = Math.max(Math.floor((size.width - 2 * pad) / (letter * LETTER)), 1);
  const text = shortened(title, letters);
  const [width, height] = [ruler(text, letter) + 2 * pad, letter * 1.35];
  const box = { x: position.x, y: position.y - height, width, height };
  return { group, text, letter, box };
}

export function shortened(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, Math.max(letters - 1, 1))}\u2026`;
}

function areaOf({ size }: Group): number {
  return size.width * size.height;
}

/** The frame that can be dragged at a place of the graph. */
export function frameAt(graph: Graph, at: Point, zoom: number): string | null {
  const context = graph.groups.length === 0 ? null : new OffscreenCanvas(1, 1).getContext("2d");
  if (context === null) return null;
  const titles = frameTitles(openFrames(graph), zoom, rulerOf(context));
  const titled = titles.find(({ box }) => containsPoint(box, at));
  const folded = foldingOf(graph).folds.findLast(({ group, width, height }) =>
    containsPoint({ ...group.position, width, height }, at),
  );
  return (titled ?? folded)?.group.key ?? null;
}

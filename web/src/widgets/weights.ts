/**
 * The weight of a part of a prompt, changed in place: a word, the selection, or the brackets or the
 * LoRA tag around the caret. Returns one replacement, so that the field's own undo reverts it.
 */

export interface Replacement {
  from: number;
  to: number;
  text: string;
  /** The selection afterwards. */
  select: [number, number];
}

interface Group {
  /** The positions of the brackets. */
  open: number;
  close: number;
  /** The end of the weighted text: before the colon, if there is one. */
  end: number;
  weight: number;
}

const IMPLIED = 1.1;
const LONGEST_WEIGHT = 40;
const WEIGHT = /:\s*([+-]?\d*\.?\d+)\s*$/;

/**
 * The prompt with the weight of the part from `start` to `end` changed by `by`; null if there is no
 * text.
 */
export function reweighted(
  text: string,
  start: number,
  end: number,
  by: number,
): Replacement | null {
  const [from, to] = start === end ? [start, end] : trimmed(text, start, end);
  const tag = tagAround(text, from, to);
  if (tag !== null) return retagged(tag, from, to, by);
  const group = groupAround(text, from, to);
  if (group !== null) return regrouped(text, group, by);
  const [first, last] = from === to ? wordAt(text, from) : [from, to];
  if (first === last) return null;
  const inside = text.slice(first, last);
  const weight = shownWeight(1 + by);
  return {
    from: first,
    to: last,
    text: `(${inside}:${weight})`,
    select: [first + 1, first + 1 + inside.length],
  };
}

const TAG = /<lora:[^<>:\n]+(?::\s*([+-]?\d*\.?\d+))?[^<>\n]*>/gi;

interface Tag {
  /** The position of its weight; if both are equal it has none yet. */
  first: number;
  last: number;
  weight: number;
}

/** The tag of a LoRA around the caret or the selection: `<lora:name:0.8>`. */
function tagAround(text: string, from: number, to: number): Tag | null {
  for (const { 0: tag, 1: stated, index } of text.matchAll(TAG)) {
    const end = index + tag.length;
    if (to > end || from < index || (from === to && from === index)) continue;
    const name = /^<lora:[^<>:]+/i.exec(tag)?.[0].length ?? 0;
    const first = index + (stated === undefined ? name : tag.indexOf(stated, name));
    return { first, last: first + (stated?.length ?? 0), weight: Number(stated ?? 1) };
  }
  return null;
}

/** Changes only the number; unlike a word's weight, it may be negative. */
function retagged({ first, last, weight }: Tag, from: number, to: number, by: number): Replacement {
  const text = `${first === last ? ":" : ""}${rounded(weight + by)}`;
  const moved = (place: number) =>
    place <= first ? place : place >= last ? place + text.length - (last - first) : first;
  return { from: first, to: last, text, select: [moved(from), moved(to)] };
}

/** The brackets whose weight changes: around the caret, or around exactly the selection. */
function groupAround(text: string, from: number, to: number): Group | null {
  const groups = groupsOf(text);
  const exact = groups.find(
    (each) =>
      (each.open === from && each.close + 1 === to) ||
      (each.open + 1 === from && (each.end === to || each.close === to)),
  );
  if (exact !== undefined) return exact;
  if (from !== to) return null;
  const around = groups.filter((each) => each.open < from && from <= each.close);
  const innermost = around.sort((one, other) => other.open - one.open)[0];
  return innermost ?? null;
}

/** Every pair of round brackets; escaped brackets are text. */
function groupsOf(text: string): Group[] {
  const groups: Group[] = [];
  const open: number[] = [];
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place];
    if (sign === "\\") place += 1;
    else if (sign === "(") open.push(place);
    else if (sign === ")") {
      const begun = open.pop();
      if (begun === undefined) continue;
      // Only the end of the content: otherwise nested brackets would be read repeatedly.
      const tail = Math.max(begun + 1, place - LONGEST_WEIGHT);
      const stated = WEIGHT.exec(text.slice(tail, place));
      groups.push({
        open: begun,
        close: place,
        end: stated === null ? place : tail + stated.index,
        weight: stated === null ? IMPLIED : Number(stated[1]),
      });
    }
  }
  return groups;
}

function regrouped(text: string, { open, close, end, weight }: Group, by: number): Replacement {
  const inside = text.slice(open + 1, end);
  const next = shownWeight(weight + by);
  const plain = next === "1.0";
  const begin = plain ? open : open + 1;
  return {
    from: open,
    to: close + 1,
    text: plain ? inside : `(${inside}:${next})`,
    select: [begin, begin + inside.length],
  };
}

function shownWeight(weight: number): string {
  return rounded(Math.max(weight, 0));
}

function rounded(weight: number): string {
  const shown = Math.round(weight * 100) / 100;
  return Number.isInteger(shown * 10) ? shown.toFixed(1) : String(shown);
}

const PART_OF_WORD = /[^\s,.;:(){}[\]|<>]/;

function wordAt(text: string, place: number): [number, number] {
  let [first, last] = [place, place];
  while (first > 0 && PART_OF_WORD.test(text[first - 1] ?? "")) first -= 1;
  while (last < text.length && PART_OF_WORD.test(text[last] ?? "")) last += 1;
  return [first, last];
}

function trimmed(text: string, start: number, end: number): [number, number] {
  const part = text.slice(start, end);
  return [
    start + part.length - part.trimStart().length,
    end - (part.length - part.trimEnd().length),
  ];
}

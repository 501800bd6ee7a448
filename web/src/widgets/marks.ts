/** Marks in the text of a prompt field: matching brackets, unmatched ones, comments. */

interface Mark {
  from: number;
  to: number;
  kind: "pair" | "lone" | "comment";
}

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const OPENING: ReadonlySet<string> = new Set([")", "]", "}"]);

/** In order of position, without overlaps. `caret` is null while the field has no focus. */
export function marksOf(text: string, caret: number | null): Mark[] {
  const marks: Mark[] = [];
  const open: { place: number; sign: string }[] = [];
  const one = (place: number, kind: Mark["kind"]) =>
    marks.push({ from: place, to: place + 1, kind });
  const touches = (place: number) => caret === place || caret === place + 1;
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place] ?? "";
    const end = sign === "/" ? commentEnd(text, place) : place;
    if (end > place) {
      marks.push({ from: place, to: end, kind: "comment" });
      place = end - 1;
    } else if (sign === "\\") place += 1;
    else if (sign in CLOSING) open.push({ place, sign });
    else if (OPENING.has(sign)) {
      const begun = open.pop();
      if (begun === undefined || CLOSING[begun.sign] !== sign) {
        if (begun !== undefined) open.push(begun);
        one(place, "lone");
      } else if (touches(begun.place) || touches(place)) {
        one(begun.place, "pair");
        one(place, "pair");
      }
    }
  }
  for (const { place } of open) one(place, "lone");
  return marks.sort((first, second) => first.from - second.from);
}

/** The end of a comment that begins at `place`; `place` itself if none begins there. */
function commentEnd(text: string, place: number): number {
  if (text.startsWith("//", place)) {
    const line = text.indexOf("\n", place);
    return line < 0 ? text.length : line;
  }
  const close = text.startsWith("/*", place) ? text.indexOf("*/", place + 2) : -1;
  return close < 0 ? place : close + 2;
}

/** The text in pieces, each with its mark or none. */
export function piecesOf(
  text: string,
  marks: readonly Mark[],
): { text: string; kind: string | null }[] {
  const pieces: { text: string; kind: string | null }[] = [];
  let place = 0;
  for (const { from, to, kind } of marks) {
    if (from > place) pieces.push({ text: text.slice(place, from), kind: null });
    pieces.push({ text: text.slice(from, to), kind });
    place = to;
  }
  if (place < text.length) pieces.push({ text: text.slice(place), kind: null });
  return pieces;
}

export interface Typed {
  from: number;
  word: string;
}

/**
 * The text before the caret to search completions for, if it is long enough: the text after the
 * last comma, and its last word alone; or the tag of a LoRA, with its `<`.
 */
export function wordsBefore(text: string, caret: number): Typed[] {
  const before = text.slice(Math.max(0, caret - LONGEST), caret);
  const [tag] = TAG_BEGUN.exec(before) ?? [];
  if (tag !== undefined) {
    // A tag that ends after the caret, or already has a weight, is complete.
    const isNamed = TAG_ENDS.test(text.slice(caret)) || tag.split(":").length > 2;
    return isNamed ? [] : [{ from: caret - tag.length, word: tag }];
  }
  const [found = ""] = /(?:embedding:)?[^,\n(){}[\]|<>:/]*$/.exec(before) ?? [];
  const part = found.trimStart();
  const last = part.slice(part.lastIndexOf(" ") + 1);
  return [...new Set([part, last])]
    .filter((word) => word.length < LONGEST)
    .filter((word) => word.length >= (word.startsWith("embedding:") ? EMBEDDING : LEAST))
    .map((word) => ({ from: caret - word.length, word }));
}

/** The beginning of a LoRA's tag, `<lora:name:1>`. */
const TAG_BEGUN = /<(?:l|lo|lor|lora(?::[^<>\n]*)?)$/i;
const TAG_ENDS = /^[^<>\n]*>/;
const LEAST = 2;
/** No name is this long, and neither is the search text, even in text without spaces. */
const LONGEST = 300;
const EMBEDDING = "embedding:".length;

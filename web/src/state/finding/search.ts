/**
 * Searches nodes by typed text. The score is the product of the text match, the fit to the pulled
 * wire, and how often and how recently the user added the node.
 */
import uFuzzy from "@leeoniya/ufuzzy";
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import { inputsOf } from "../nodes/inputs";
import { closeness } from "../nodes/sockets";
import { isSocket } from "../nodes/widgets";
import { type Pulled, weightOf } from "./fitting";
import { matchesFilters, type Query, readQuery } from "./query";
import { commonness, synonymsOf } from "./synonyms";

export interface Found {
  schema: NodeSchema;
  /** The indices of matched letters in the display name. */
  marks: readonly number[];
  /** The synonym that matched, if any. */
  also: string | null;
}

export interface UsageStats {
  /** How often each class of node was added. */
  used: Readonly<Record<string, number>>;
  /** The most recently added classes, the latest first. */
  recent: readonly string[];
}

export interface Narrowing {
  pulled?: Pulled | null;
  /** Classes that are usually joined to the pulled socket, the most usual first. */
  partners?: readonly string[];
  /** An additional factor of the score: 0 excludes a node, 1 is neutral. */
  weightOf?: (schema: NodeSchema) => number;
}

interface Matched {
  score: number;
  marks: number[];
  also: string | null;
}

const ANY: Matched = { score: 100, marks: [], also: null };
const looseSearch = new uFuzzy({ intraIns: 8, interIns: 40 });
const fuzzySearch = new uFuzzy({ intraMode: 1 });

export function search(
  catalog: Catalog,
  typed: string,
  usage: UsageStats,
  { pulled = null, partners = [], weightOf = () => 1 }: Narrowing = {},
): Found[] {
  const query = readQuery(typed);
  const schemas = Object.values(catalog).filter(
    (each) => matchesFilters(query, each) && (pulled === null || closenessOf(each, pulled) >= 0),
  );
  const scored = matchesOf(schemas, query).flatMap(({ schema, match }) => {
    const fit =
      pulled === null
        ? 1
        : specificity(schema, pulled) * partnerScore(schema, partners, query.words !== "");
    // For a wire, habits only decide between nodes that fit equally well.
    const habit = usageScore(schema, usage) * (pulled === null ? 1 : HABIT_OF_WIRES);
    const hidden = pulled !== null && schema.deprecated ? DEPRECATED_FOR_WIRES : 1;
    const score = match.score * fit * (1 + habit) * visibilityScore(schema) * hidden;
    const weight = weightOf(schema);
    return weight > 0 ? [{ schema, match, score: score * weight }] : [];
  });
  scored.sort(
    (one, other) =>
      other.score - one.score || one.schema.display_name.localeCompare(other.schema.display_name),
  );
  return scored.map(({ schema, match }) => ({ schema, marks: match.marks, also: match.also }));
}

function matchesOf(schemas: readonly NodeSchema[], { words }: Query) {
  if (words === "") return schemas.map((schema) => ({ schema, match: ANY }));
  const found = new Map<NodeSchema, Matched>();
  const addMatch = (schema: NodeSchema | undefined, match: Matched) => {
    if (schema === undefined) return;
    const before = found.get(schema);
    if (before === undefined || before.score < match.score) found.set(schema, match);
  };
  for (const schema of schemas) {
    const known = synonymScore(schema, words);
    if (known !== null) addMatch(schema, known);
  }
  const names = schemas.map((each) => each.display_name);
  const kinds = schemas.map((each) => each.class_type);
  for (const { at, score, marks } of fuzzy(looseSearch, names, words)) {
    addMatch(schemas[at], { score, marks, also: null });
  }
  for (const { at, score } of fuzzy(looseSearch, kinds, words)) {
    addMatch(schemas[at], { score: score * 0.85, marks: [], also: kinds[at] ?? null });
  }
  if (found.size === 0) {
    for (const { at, score, marks } of fuzzy(fuzzySearch, names, words)) {
      addMatch(schemas[at], { score: score / 2, marks, also: null });
    }
  }
  return [...found].map(([schema, match]) => ({ schema, match }));
}

function fuzzy(engine: uFuzzy, searchText: string[], words: string) {
  const [places, info] = engine.search(searchText, words, 3, Number.POSITIVE_INFINITY);
  if (places === null || places.length === 0) return [];
  const detail = info ?? engine.info(places, searchText, words);
  return detail.idx.map((at, index) => {
    const text = searchText[at] ?? "";
    const ranges = detail.ranges[index] ?? [];
    const marks: number[] = [];
    for (let pair = 0; pair < ranges.length; pair += 2) {
      for (let letter = ranges[pair] ?? 0; letter < (ranges[pair + 1] ?? 0); letter += 1) {
        marks.push(letter);
      }
    }
    const first = marks[0] ?? 0;
    const gaps = (marks.at(-1) ?? 0) - first + 1 - marks.length;
    const startsWord = first === 0 || /[^\p{L}\p{N}]/u.test(text[first - 1] ?? "");
    const startsHump = first > 0 && /\p{Lu}/u.test(text[first] ?? "");
    const whole = text.length === words.length ? 90 : 0;
    const start = first === 0 ? 80 : startsWord ? 55 : startsHump ? 35 : 0;
    const score = 130 + start + whole - Math.min(gaps, 12) * 7 - text.length / 3;
    return { at, marks, score: Math.max(score, 10) };
  });
}

function synonymScore(schema: NodeSchema, words: string): Matched | null {
  const typed = words.toLowerCase();
  let best: Matched | null = null;
  synonymsOf(schema.class_type).forEach((name, index) => {
    const score = name === typed ? 270 - index * 4 : name.startsWith(typed) ? 170 - index * 4 : 0;
    if (score > (best?.score ?? 0)) best = { score, marks: [], also: name };
  });
  const place = schema.category.toLowerCase();
  if (best === null && typed.length > 2 && place.includes(typed)) {
    return { score: 40, marks: [], also: null };
  }
  return best;
}

/**
 * From 0 for a node never used towards 1 for frequent ones, plus a little for commonly used ones.
 */
function usageScore({ class_type }: NodeSchema, { used, recent }: UsageStats): number {
  const frequency = 1 - 1 / (1 + (used[class_type] ?? 0) / 4);
  const place = recent.indexOf(class_type);
  const recency = place < 0 ? 0 : 0.85 ** place;
  return frequency + recency > 0
    ? 0.2 + (frequency + recency) * 0.4
    : commonness(class_type) * 0.15;
}

function visibilityScore({ category, deprecated, experimental }: NodeSchema): number {
  if (deprecated) return 0.4;
  return experimental || /(^|\/)(_|advanced)/.test(category) ? 0.8 : 1;
}

const HABIT_OF_WIRES = 0.05;
const DEPRECATED_FOR_WIRES = 0.05;

/** From 2 to 6 for usual partners, 1 for others; less where the name was typed. */
function partnerScore(
  { class_type }: NodeSchema,
  partners: readonly string[],
  isTyped: boolean,
): number {
  const index = partners.indexOf(class_type);
  if (index < 0) return 1;
  const share = (partners.length - index) / partners.length;
  return isTyped ? 1 + share / 2 : 2 + 4 * share;
}

/** How specific a node is to the pulled type: its first socket counts more than later ones. */
function specificity(schema: NodeSchema, { side, type }: Pulled): number {
  const nearness =
    side === "output"
      ? inputsOf(schema)
          .filter((each) => each.section !== "hidden")
          // Sockets first, fields after them: a text encoder's first input is CLIP, not its text.
          .sort((one, other) => Number(isSocket(other)) - Number(isSocket(one)))
          .map((each, index) => weightOf(closeness(type, each.type), index, isSocket(each)))
      : schema.outputs.map((each, index) => weightOf(closeness(each.type, type), index, true));
  return Math.max(0.01, ...nearness);
}

function closenessOf(schema: NodeSchema, { side, type }: Pulled): number {
  if (side === "output") {
    return inputsOf(schema)
      .filter((each) => each.section !== "hidden")
      .reduce((best, each) => Math.max(best, closeness(type, each.type)), -1);
  }
  return schema.outputs.reduce((best, each) => Math.max(best, closeness(each.type, type)), -1);
}

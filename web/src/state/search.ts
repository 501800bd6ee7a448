/** Finding nodes by what one types. Best first; what one used before counts. */
import type { Catalog } from "../api/catalog";
import type { NodeSchema } from "../api/types";
import { inputsOf } from "./inputs";
import { closeness } from "./sockets";

/** The socket that a wire was pulled from: only nodes with a socket that fits are offered. */
export interface Pulled {
  node: string;
  /** An output's number or an input's name. */
  socket: string;
  side: "output" | "input";
  type: string;
}

export interface Found {
  schema: NodeSchema;
  /** Where in the display name the letters typed are. */
  marks: readonly number[];
}

export function search(
  catalog: Catalog,
  typed: string,
  used: Readonly<Record<string, number>>,
  pulled: Pulled | null = null,
): Found[] {
  const wanted = typed.trim().toLowerCase();
  const scored = Object.values(catalog).flatMap((schema) => {
    const near = pulled === null ? 0 : closenessOf(schema, pulled);
    if (near < 0) return [];
    const match = scoreOf(schema, wanted);
    if (match === null) return [];
    const habit = Math.min(used[schema.class_type] ?? 0, 20);
    const rare = /(^|\/)(_|advanced)/.test(schema.category) ? -25 : 0;
    const shy = rare - (schema.deprecated || schema.experimental ? 40 : 0);
    return [{ schema, marks: match.marks, score: match.score + near * 30 + habit + shy }];
  });
  scored.sort(
    (one, other) =>
      other.score - one.score || one.schema.display_name.localeCompare(other.schema.display_name),
  );
  return scored.map(({ schema, marks }) => ({ schema, marks }));
}

function closenessOf(schema: NodeSchema, { side, type }: Pulled): number {
  if (side === "output") {
    return inputsOf(schema)
      .filter((each) => each.section !== "hidden")
      .reduce((best, each) => Math.max(best, closeness(type, each.type)), -1);
  }
  return schema.outputs.reduce((best, each) => Math.max(best, closeness(each.type, type)), -1);
}

function scoreOf(schema: NodeSchema, wanted: string): { score: number; marks: number[] } | null {
  if (wanted === "") return { score: 0, marks: [] };
  const name = schema.display_name.toLowerCase();
  const at = name.indexOf(wanted);
  if (at >= 0) {
    const startsWord = at === 0 || !/[a-z0-9]/.test(name[at - 1] ?? "");
    const marks = Array.from(wanted, (_, index) => at + index);
    return { score: 200 + (startsWord ? 60 : 0) + (at === 0 ? 40 : 0) - name.length / 4, marks };
  }
  const kind = schema.class_type.toLowerCase();
  if (kind.includes(wanted)) return { score: 150 - kind.length / 4, marks: [] };
  const words = wanted.split(/\s+/);
  const text = `${name} ${kind} ${schema.category.toLowerCase()}`;
  if (words.every((word) => text.includes(word))) return { score: 100, marks: [] };
  const marks = inOrder(name, wanted.replace(/\s+/g, ""));
  return marks === null ? null : { score: 40 - spread(marks), marks };
}

/** Where the letters stand in the text in this order, or null. */
function inOrder(text: string, letters: string): number[] | null {
  const marks: number[] = [];
  let from = 0;
  for (const letter of letters) {
    const at = text.indexOf(letter, from);
    if (at < 0) return null;
    marks.push(at);
    from = at + 1;
  }
  return marks;
}

function spread(marks: readonly number[]): number {
  return (marks.at(-1) ?? 0) - (marks[0] ?? 0);
}

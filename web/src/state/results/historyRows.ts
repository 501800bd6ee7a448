/** The rows of the gallery: a heading for each day, then its results in rows of equal length. */

import { longDay } from "../../words/format";
import { t } from "../../words/words";

export type GridRow =
  | { kind: "day"; day: string; count: number }
  | { kind: "cells"; first: number; count: number };

export function rowsOf(days: readonly (readonly [string, number])[], columns: number): GridRow[] {
  let first = 0;
  return days.flatMap(([day, count]) => {
    const rows: GridRow[] = [{ kind: "day", day, count }];
    for (let done = 0; done < count; done += columns) {
      rows.push({ kind: "cells", first: first + done, count: Math.min(columns, count - done) });
    }
    first += count;
    return rows;
  });
}

/** The index of the row that contains a result. */
export function rowOfPlace(rows: readonly GridRow[], place: number): number {
  const found = rows.findIndex(
    (row) => row.kind === "cells" && place >= row.first && place < row.first + row.count,
  );
  return Math.max(found, 0);
}

/** A date in words: today, yesterday, or a long form. */
export function dayName(day: string, today: Date = new Date()): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  const midnight = new Date(today.getFullYear(), today.getMonth(), today.getDate());
  const ago = Math.round(
    (midnight.getTime() - new Date(year, month - 1, date).getTime()) / 86_400_000,
  );
  if (ago === 0) return t("Today");
  if (ago === 1) return t("Yesterday");
  return longDay(new Date(year, month - 1, date), today);
}

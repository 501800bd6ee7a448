/** Times as a user reads them: how long ago, in their language. */

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** "5 minutes ago"; of what is older than a week, the day. */
export function ago(then: number, now = Date.now()): string {
  const language = globalThis.document?.documentElement.lang || "en";
  const passed = Math.max(0, now - then);
  if (passed > 7 * 86_400_000) return dayOf(then, language);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  for (const [unit, length] of UNITS) {
    if (passed >= length) return format.format(-Math.floor(passed / length), unit);
  }
  return format.format(0, "second");
}

function dayOf(then: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(then);
}

export function dayAndTime(then: number): string {
  const language = globalThis.document?.documentElement.lang || "en";
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(
    then,
  );
}

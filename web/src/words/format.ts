/**
 * Numbers, times and sizes for display in the current language, rounded to a readable precision.
 * Values that are typed into fields or saved are not formatted with this.
 */
import { currentLanguage, t } from "./words";

const formats = new Map<string, Intl.NumberFormat>();

/** Cached: making a formatter takes longer than using it, and a run needs several at each step. */
function numbers(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = currentLanguage() + JSON.stringify(options);
  const known = formats.get(key) ?? new Intl.NumberFormat(currentLanguage(), options);
  formats.set(key, known);
  return known;
}

/** A number with at most, or exactly, this many decimal places. */
export function amount(value: number, places = 0): string {
  return numbers({ minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
}

/** "1.2K": for counts whose last digits do not matter. */
export function roughly(value: number): string {
  return numbers({ notation: "compact" }).format(value);
}

/** A share of 1 in percent: "85 %" or "85%", depending on the language. */
export function percent(share: number, places = 0): string {
  return numbers({
    style: "percent",
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  }).format(share);
}

/** A duration in seconds: "250 ms", "3.2 s", "47 s", "2 min", "1 h 5 min", "26 h". */
export function spanOf(seconds: number): string {
  if (seconds < 0.95)
    return t("{{number}} ms", { number: amount(Math.max(1, Math.round(seconds * 1000))) });
  if (seconds < 9.95) return t("{{number}} s", { number: amount(seconds, 1) });
  if (seconds < 89.5) return t("{{number}} s", { number: amount(seconds) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return t("{{number}} min", { number: amount(minutes) });
  // Beyond ten hours, minutes do not matter.
  if (minutes >= 600) return t("{{number}} h", { number: amount(Math.round(minutes / 60)) });
  return t("{{hours}} h {{minutes}} min", {
    hours: amount(Math.floor(minutes / 60)),
    minutes: amount(minutes % 60),
  });
}

/** "2.1 GB", "340 MB". Units of a thousand, as for disks and drivers. */
export function bytesOf(bytes: number): string {
  if (bytes >= 1e9) return t("{{number}} GB", { number: amount(bytes / 1e9, 1) });
  if (bytes >= 1e6) return t("{{number}} MB", { number: amount(bytes / 1e6) });
  return t("{{number}} kB", { number: amount(Math.max(1, Math.round(bytes / 1e3))) });
}

/** "3.2 it/s", or "4.1 s/it" for slow ones. */
export function rateWords(rate: number): string {
  return rate >= 1
    ? t("{{number}} it/s", { number: amount(rate, rate < 10 ? 1 : 0) })
    : t("{{number}} s/it", { number: amount(1 / rate, 1) });
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** "5 minutes ago"; for times older than a week, the day. */
export function ago(then: number, now = Date.now()): string {
  const passed = Math.max(0, now - then);
  if (passed > 7 * 86_400_000) {
    return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium" }).format(then);
  }
  const format = new Intl.RelativeTimeFormat(currentLanguage(), {
    numeric: "auto",
    style: "short",
  });
  for (const [unit, length] of UNITS) {
    if (passed >= length) return format.format(-Math.floor(passed / length), unit);
  }
  return format.format(0, "second");
}

export function dayAndTime(then: number): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    dateStyle: "medium",
    timeStyle: "short",
  }).format(then);
}

/** "Friday, 20 November"; with the year only if it is not the current one. */
export function longDay(day: Date, today: Date): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(day.getFullYear() === today.getFullYear() ? {} : { year: "numeric" as const }),
  }).format(day);
}

/** "IMAGE, MASK, or LATENT". */
export function anyOf(names: readonly string[]): string {
  return new Intl.ListFormat(currentLanguage(), { type: "disjunction" }).format(names);
}

/** The beginning of a text: laying out megabytes would block the page for seconds. */
export function beginning(text: string, most = 20_000): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

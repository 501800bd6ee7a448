/**
 * Numbers as people type them: with digits of any script, and with the separators of their
 * language.
 */
import { currentLanguage } from "./words";

/** Arithmetic signs that keyboards and input methods write differently. */
const SIGNS: Readonly<Record<string, string>> = {
  "\u2212": "-",
  "\u2012": "-",
  "\u2013": "-",
  "\u00d7": "*",
  "\u00f7": "/",
  "\u3001": ",",
  "\u3002": ".",
  "\u066b": ".",
  "\u066c": ",",
};

/** The same text with plain digits and signs: full-width and Arabic digits become 0 to 9. */
export function plainDigits(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/\p{Nd}/gu, digitOf)
    .replace(
      /[\u2212\u2012\u2013\u00d7\u00f7\u3001\u3002\u066b\u066c]/g,
      (sign) => SIGNS[sign] ?? sign,
    );
}

/** Unicode has digits in rows of ten: the offset of a digit from the first of its row. */
function digitOf(sign: string): string {
  const code = sign.codePointAt(0) ?? 0;
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  return String(value);
}

/** One number with thousands separators: ASCII signs, spaces (also thin ones), apostrophes. */
const SEPARATED = /\d+(?:[.,_'\u2019 \u00a0\u2009\u202f]\d+)+/g;
const GROUPED = /^[1-9]\d{0,2}(?:([.,_'\u2019 \u00a0\u2009\u202f])\d{3})(?:\1\d{3})*$/;

/**
 * The same text with each number in the syntax of programs: `1,000` is a thousand, `1,5` one and a
 * half, and `1.000` a thousand if the language has a decimal comma and only integers count.
 */
export function plainNumbers(text: string, isWhole: boolean): string {
  const hasComma = decimalSign() === ",";
  return plainDigits(text).replace(SEPARATED, (number) => {
    const sign = GROUPED.exec(number)?.[1];
    if (sign !== undefined && isGrouping(number, sign, isWhole, hasComma)) {
      return number.replace(/\D/g, "");
    }
    // The rest has one decimal sign, with groups of three before it or none.
    const last = number.match(/[.,]/g)?.at(-1);
    const [before = "", after = "", ...more] = last === undefined ? [] : number.split(last);
    if (last === undefined || more.length > 0) return number;
    return `${GROUPED.test(before) ? before.replace(/\D/g, "") : before}.${after}`;
  });
}

/**
 * Whether the sign before groups of three separates thousands: `1,000` may also be one, to three
 * places.
 */
function isGrouping(number: string, sign: string, isWhole: boolean, hasComma: boolean): boolean {
  if (sign !== "," && sign !== ".") return true;
  if (number.split(sign).length > 2) return true;
  return sign === "," ? isWhole || !hasComma : isWhole && hasComma;
}

function decimalSign(): string {
  const parts = new Intl.NumberFormat(currentLanguage()).formatToParts(1.5);
  return parts.find(({ type }) => type === "decimal")?.value ?? ".";
}

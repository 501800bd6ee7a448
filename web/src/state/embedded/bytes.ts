/** Reads limited parts of a file, and decodes texts. */

/** The texts in a file by keyword; `texts.ts` has the keywords that are used. */
export type Texts = Record<string, string>;

/**
 * The most bytes read of one part: workflows are far smaller, but a hostile file may claim any
 * length.
 */
export const MAX_READ = 32 * 1024 * 1024;
/** The most parts of one file that are parsed. */
export const MAX_PARTS = 20_000;

/** Up to `length` bytes from `at`; fewer at the end of the file. */
export async function readBytes(file: Blob, at: number, length: number): Promise<Uint8Array> {
  const end = at + Math.min(Math.max(length, 0), MAX_READ);
  return new Uint8Array(await file.slice(at, end).arrayBuffer());
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function latin(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Decodes UTF-8, whatever the format prescribes, as most programs write that; else Latin-1. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return latin(bytes);
    throw error;
  }
}

export function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  return latin(bytes.subarray(at, at + text.length)) === text;
}

/** The bytes before the first NUL, or all. */
export function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Stores the first text of a keyword; keywords are compared without regard to case. */
export function addText(texts: Texts, keyword: string, text: string): void {
  texts[keyword.toLowerCase()] ??= text;
}

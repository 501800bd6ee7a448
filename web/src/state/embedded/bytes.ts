/** Pieces of a file, never more of it than is asked for, and texts out of bytes. */

/** What a file tells about itself by keyword; the keywords of interest are in `texts.ts`. */
export type Texts = Record<string, string>;

/** The most that is read of any one piece: workflows are far smaller, hostile lengths are not. */
export const MAX_READ = 32 * 1024 * 1024;
/** How many parts a file is followed through before it is let be. */
export const MOST_PARTS = 20_000;

/** Up to `length` bytes from `at`; fewer where the file ends. */
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

/** As UTF-8, whatever a format prescribes: so most programs write. Latin-1 where it cannot be that. */
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

/** Until the first NUL, where there is one. */
export function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Keeps the first text under a keyword; keywords are told apart by their letters alone. */
export function addText(texts: Texts, keyword: string, text: string): void {
  texts[keyword.toLowerCase()] ??= text;
}

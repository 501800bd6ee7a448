/** File names that are valid on every file system and on the server. */

const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\\/:*?"<>|]/gu;
/** Names that Windows reserves for devices. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?=\.|$)/i;
/**
 * In bytes: below the limit of file systems, with space for a number that tells equal names apart.
 */
const MAX_BYTES = 200;

/** The name with `_` in place of invalid characters; its extension is kept. */
export function fileNameFor(name: string): string {
  const plain = name
    .normalize("NFC")
    .replace(FORBIDDEN, "_")
    .replace(DEVICES, "_$1")
    .trim()
    .replace(/^\.+/, "_")
    .replace(/[. ]+$/, "");
  const ending = /.(\.[\w-]{1,16})$/.exec(plain)?.[1] ?? "";
  const stem = plain.slice(0, plain.length - ending.length);
  const size = new TextEncoder();
  const limit = MAX_BYTES - ending.length;
  const letters = Array.from(stem);
  // A character has at most four bytes: most of a long name is cut at once, the rest one by one.
  if (size.encode(stem).length > limit) letters.splice(limit);
  while (size.encode(letters.join("")).length > limit) letters.pop();
  return `${letters.join("").trim() || "_"}${ending}`;
}

/** Names of the user's own files, as every file system and this server take them. */

const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\\/:*?"<>|]/gu;
/** Some systems keep these for devices. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?=\.|$)/i;
/** In bytes: what a file system takes, with room for a number that tells equal names apart. */
const LONGEST = 200;

/** The name with `_` for what no file name may hold; its ending stays. */
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
  const room = LONGEST - ending.length;
  const letters = Array.from(stem);
  // A letter is up to four bytes: nearly all of a long name goes at once, the rest one by one.
  if (size.encode(stem).length > room) letters.splice(room);
  while (size.encode(letters.join("")).length > room) letters.pop();
  return `${letters.join("").trim() || "_"}${ending}`;
}

/** What the user's workflows are called, and where they lie among the server's files. */
import { t } from "../../words/words";

export const FOLDER = "workflows";

export function pathOf(name: string): string {
  return `${FOLDER}/${name}.json`;
}

export function nameOf(path: string): string {
  return path.replace(new RegExp(`^${FOLDER}/`), "").replace(/\.json$/, "");
}

export function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Some systems keep these for devices. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$/i;
const FORBIDDEN = /^\.|[. ]$|[\p{Cc}\\:]/u;
/** With the file's ending, in bytes: what a file system takes. */
const LONGEST = 250;

/** Why no file can be called so, or none that would be found again; null where one can. */
export function nameProblem(name: string): string | null {
  const size = new TextEncoder();
  const isName = (part: string) =>
    part !== "" &&
    !FORBIDDEN.test(part) &&
    !DEVICES.test(part) &&
    size.encode(part).length <= LONGEST;
  const wrong = name.split("/").find((part) => !isName(part));
  if (wrong === undefined) return null;
  return t(
    "No file can be called {{name}}. Names begin and end with no dot, hold neither \\ nor : and are no longer than 250 letters.",
    { name: wrong.length > SHOWN ? `${wrong.slice(0, SHOWN)}…` : wrong },
  );
}

const SHOWN = 24;

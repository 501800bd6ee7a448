/** Names and paths of the user's workflows among the server's files. */
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

/** Names that Windows reserves for devices. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$/i;
const FORBIDDEN = /^\.|[. ]$|[\p{Cc}\\:]/u;
/** The longest name that file systems accept, in bytes, including the extension. */
const MAX_LENGTH = 250;

/** Why a name is not valid for a file, or would not be listed; null for a valid name. */
export function nameProblem(name: string): string | null {
  const size = new TextEncoder();
  const isName = (part: string) =>
    part !== "" &&
    !FORBIDDEN.test(part) &&
    !DEVICES.test(part) &&
    size.encode(part).length <= MAX_LENGTH;
  const wrong = name.split("/").find((part) => !isName(part));
  if (wrong === undefined) return null;
  return t(
    "{{name}} is not a valid file name. Names must not begin or end with a dot or contain \\ or :, and have at most 250 characters.",
    { name: wrong.length > SHOWN ? `${wrong.slice(0, SHOWN)}…` : wrong },
  );
}

const SHOWN = 24;

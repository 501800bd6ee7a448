/** Where the names of other files in a file lead: into its own folder on the server, or nowhere. */

const EMPTY = "data:,";

/** `url` is the address of the file, `asked` what it names. */
export function addressBeside(url: string, asked: string): string {
  if (/^(blob|data):/.test(asked)) return asked;
  let name = asked;
  try {
    name = decodeURIComponent(asked).replaceAll("\\", "/");
  } catch {
    return EMPTY;
  }
  const parts = name.split("/");
  if (/^[a-z][a-z0-9+.-]*:/i.test(name) || name.startsWith("/") || parts.includes("..")) {
    return EMPTY;
  }
  const beside = new URL(url, "http://editor");
  const folder = beside.searchParams.get("subfolder") ?? "";
  const inner = parts.slice(0, -1).filter((each) => each !== "" && each !== ".");
  beside.searchParams.set("filename", parts.at(-1) ?? "");
  beside.searchParams.set("subfolder", [folder, ...inner].filter((each) => each !== "").join("/"));
  return beside.pathname + beside.search;
}

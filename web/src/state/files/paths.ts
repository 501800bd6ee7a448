/** What the user's workflows are called, and where they lie among the server's files. */

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

/** Reads the catalog of node classes from the server, with what plugins declare for it. */
import { catalogOf } from "../../api/catalog";
import { equalJson } from "../../document/json";
import { withPrimitive } from "../nodes/primitive";
import { client } from "../session/server";
import { setCatalog, useStudio } from "../session/studio";
import { loadExtensions, useExtensions, withPluginWidgets } from "./extensions";

let reads = 0;

/**
 * The number of times the catalog was loaded: lists of the server's files read before are out of
 * date.
 */
export function catalogReads(): number {
  return reads;
}

export async function refreshCatalog(): Promise<void> {
  const [listed] = await Promise.all([client.catalog(), loadExtensions()]);
  reads += 1;
  const catalog = withPrimitive(withPluginWidgets(listed, useExtensions.getState().declared));
  const { catalog: before } = useStudio.getState();
  // Unchanged schemas keep their identity, so that nothing is rendered again for them.
  const kept = Object.entries(catalog).map(([name, schema]) => {
    const known = Object.hasOwn(before, name) ? before[name] : undefined;
    return [name, known !== undefined && equalJson(known, schema) ? known : schema] as const;
  });
  setCatalog(catalogOf(kept));
}

/** Titles and spoken names of nodes, and descriptions of their connections, for screen readers. */
import type { Catalog } from "../../api/catalog";
import type { NodeSchema } from "../../api/types";
import { type Graph, type GraphNode, INPUTS, OUTPUTS } from "../../document/graph";
import { isNote } from "../../document/notes";
import { t } from "../../words/words";

/** The title of a node: the user's, or that of its class. */
export function titleOf(node: GraphNode, schema: NodeSchema | undefined): string {
  if (node.key === INPUTS) return t("Inputs");
  if (node.key === OUTPUTS) return t("Outputs");
  return node.title ?? schema?.display_name ?? (isNote(node) ? t("Note") : node.type);
}

const named = new WeakMap<Graph["nodes"], { catalog: Catalog; names: Map<string, string> }>();

/** The title of a node; with its number where others have the same title. */
export function nameIn(graph: Graph, catalog: Catalog, key: string): string {
  let cached = named.get(graph.nodes);
  if (cached?.catalog !== catalog) {
    cached = { catalog, names: namesIn(graph, catalog) };
    named.set(graph.nodes, cached);
  }
  return cached.names.get(key) ?? "";
}

function namesIn(graph: Graph, catalog: Catalog): Map<string, string> {
  const titles = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const key of graph.order) {
    const node = graph.nodes[key];
    if (node === undefined) continue;
    const title = titleOf(node, catalog[node.type]);
    titles.set(key, title);
    counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  return new Map(
    [...titles].map(([key, title]) => [
      key,
      (counts.get(title) ?? 0) > 1 ? `${title} #${key}` : title,
    ]),
  );
}

const MAX_LISTED = 6;

/** "takes MODEL from Load Checkpoint; gives LATENT to VAE Decode". */
export function connectionsText(graph: Graph, catalog: Catalog, key: string): string {
  const node = graph.nodes[key];
  if (node === undefined) return "";
  const takes = node.inputs.flatMap(({ link, name }) => {
    const found = graph.links[link ?? ""];
    if (found === undefined) return [];
    return t("receives {{socket}} from {{node}}", {
      socket: name,
      node: nameIn(graph, catalog, found.from),
    });
  });
  const gives = node.outputs.flatMap(({ links, name }, slot) =>
    links.length === 0
      ? []
      : t("sends {{socket}} to {{node}}", {
          socket: name || (catalog[node.type]?.outputs[slot]?.name ?? ""),
          node: links
            .flatMap((each) => graph.links[each]?.to ?? [])
            .slice(0, MAX_LISTED)
            .map((each) => nameIn(graph, catalog, each))
            .join(", "),
        }),
  );
  return [...takes, ...gives].join("; ");
}

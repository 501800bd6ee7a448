/**
 * Failures of the last run that may be fixed: the node, or anything upstream of it, was edited
 * since. They are dimmed until the next run; where the edit is undone, they are shown as before.
 */
import { connected } from "../../document/arrange";
import { type Graph, type GraphNode, subgraphOf, type Workflow } from "../../document/graph";
import { equalJson } from "../../document/json";
import { levelAt } from "../../document/levels";
import { useRuns } from "../outcomes/runs";
import { tabOf, useStudio } from "../session/studio";

/** Whether a node, by its id in prompts, or anything upstream of it has changed. */
function isEdited(before: Workflow, now: Workflow, id: string): boolean {
  if (before === now) return false;
  const ids = id.split(":");
  return ids.some((key, depth) => {
    const path = ids.slice(0, depth);
    const [was, is] = [levelAt(before, path), levelAt(now, path)];
    const isInner = depth < ids.length - 1;
    return connected(was, [key], "upstream").some((each) => {
      const [one, other] = [was.nodes[each], is.nodes[each]];
      if (one === undefined || other === undefined) return true;
      if (!isAlike(one, other) || !isFedAlike(was, is, one, other)) return true;
      // For an instance on the path, the sources of the inner node are compared on the inner level.
      return !(isInner && each === key) && !isSameInside(before, now, one.type, new Set());
    });
  });
}

function isAlike(one: GraphNode, other: GraphNode): boolean {
  if (one.type !== other.type || one.mode !== other.mode) return false;
  return one.values === other.values || equalJson({ ...one.values }, { ...other.values });
}

function isFedAlike(was: Graph, is: Graph, one: GraphNode, other: GraphNode): boolean {
  if (one.inputs === other.inputs && was.links === is.links) return true;
  const feeds = (graph: Graph, { inputs }: GraphNode) =>
    inputs
      .flatMap(({ name, link }) => {
        const source = graph.links[link ?? ""];
        return source === undefined ? [] : [`${name} ${source.from}.${source.fromSlot}`];
      })
      .join();
  return feeds(was, one) === feeds(is, other);
}

function isSameInside(before: Workflow, now: Workflow, type: string, seen: Set<string>): boolean {
  const was = subgraphOf(before.definitions, type)?.graph;
  const is = subgraphOf(now.definitions, type)?.graph;
  if (was === is || seen.has(type)) return true;
  if (was === undefined || is === undefined) return false;
  seen.add(type);
  const keys = Object.keys(was.nodes);
  if (keys.length !== Object.keys(is.nodes).length) return false;
  return keys.every((key) => {
    const [one, other] = [was.nodes[key], is.nodes[key]];
    if (one === undefined || other === undefined || !isAlike(one, other)) return false;
    return isFedAlike(was, is, one, other) && isSameInside(before, now, one.type, seen);
  });
}

/** Starts marking failures that may be fixed. Returns a function that ends it. */
export function watchFailures(): () => void {
  const onChange = () => {
    const { errors, failures, failedIn } = useRuns.getState();
    const split = { failures: new Map<string, string>(), former: new Map<string, string>() };
    for (const [place, { exception_message: text }] of Object.entries(errors)) {
      const [id = "", node = ""] = place.split("/", 2);
      const [before, now] = [failedIn[id], tabOf(id)?.workflow];
      const isFormer = before !== undefined && now !== undefined && isEdited(before, now, node);
      (isFormer ? split.former : split.failures).set(place, text.trim());
    }
    const isSame =
      split.failures.size === Object.keys(failures).length &&
      [...split.failures.keys()].every((place) => place in failures);
    if (isSame) return;
    useRuns.setState({
      failures: Object.fromEntries(split.failures),
      former: Object.fromEntries(split.former),
    });
  };
  const ends = [
    useStudio.subscribe(({ tabs }, before) => {
      const isEdit = tabs.some(({ workflow }, index) => workflow !== before.tabs[index]?.workflow);
      if (isEdit && Object.keys(useRuns.getState().errors).length > 0) onChange();
    }),
    // The document may have been edited during the run.
    useRuns.subscribe(({ errors }, before) => {
      if (errors !== before.errors) onChange();
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

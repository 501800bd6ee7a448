/** One document in the place of another, as an edit; and how far apart two are. */
import type { Workflow } from "./graph";
import { equalJson } from "./json";

/** Makes a draft the same as another document. */
export function replaceWith(draft: Workflow, other: Workflow): void {
  const target = draft as unknown as Record<string, unknown>;
  for (const key of Object.keys(target)) if (!(key in other)) delete target[key];
  // A copy: the draft's parts are its own.
  Object.assign(target, structuredClone(other));
}

export interface Difference {
  added: number;
  removed: number;
  changed: number;
}

/** Nodes of the root that only one has, or that are not the same in both. */
export function differenceOf(before: Workflow, after: Workflow): Difference {
  const [old, now] = [before.nodes, after.nodes];
  const both = Object.keys(old).filter((key) => key in now);
  return {
    added: Object.keys(now).length - both.length,
    removed: Object.keys(old).length - both.length,
    changed: both.filter((key) => !equalJson(seen(old[key]), seen(now[key]))).length,
  };
}

function seen(node: Workflow["nodes"][string] | undefined): unknown {
  return (
    node && { ...node, saved: null, outputs: null, inputs: node.inputs.map((each) => each.name) }
  );
}

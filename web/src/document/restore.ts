/** Replaces a document by another one as an edit, and counts how they differ. */
import { isBoundary, type Workflow } from "./graph";
import { equalJson } from "./json";

/** Makes a draft equal to another document. */
export function replaceWith(draft: Workflow, other: Workflow): void {
  const target = draft as unknown as Record<string, unknown>;
  for (const key of Object.keys(target)) if (!(key in other)) delete target[key];
  // A copy, as the draft must not share parts with the other document.
  Object.assign(target, structuredClone(other));
}

export interface Difference {
  added: number;
  removed: number;
  changed: number;
}

/** Counts the nodes, on all levels, that only one document has or that differ. */
export function differenceOf(before: Workflow, after: Workflow): Difference {
  const found = { added: 0, removed: 0, changed: 0 };
  const ids = new Set([...Object.keys(before.definitions), ...Object.keys(after.definitions)]);
  const levels: [Nodes, Nodes][] = [...ids].map((id) => [
    before.definitions[id]?.graph.nodes ?? {},
    after.definitions[id]?.graph.nodes ?? {},
  ]);
  for (const [old, now] of [[before.nodes, after.nodes] as [Nodes, Nodes], ...levels]) {
    const [keysBefore, keysAfter] = [
      Object.keys(old).filter(isNode),
      Object.keys(now).filter(isNode),
    ];
    const both = keysBefore.filter((key) => key in now);
    found.added += keysAfter.length - both.length;
    found.removed += keysBefore.length - both.length;
    found.changed += both.filter(
      (key) => !equalJson(comparable(old[key]), comparable(now[key])),
    ).length;
  }
  return found;
}

type Nodes = Workflow["nodes"];

function isNode(key: string): boolean {
  return !isBoundary(key);
}

function comparable(node: Workflow["nodes"][string] | undefined): unknown {
  return (
    node && { ...node, saved: null, outputs: null, inputs: node.inputs.map((each) => each.name) }
  );
}

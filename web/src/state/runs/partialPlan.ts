/** The plan of a run up to the selected nodes, shown before it begins. */

import type { Plan } from "../../api/types";
import { writeGraph } from "../../document/write";
import { workflowToRun } from "../fields/rolling";
import { isViewer } from "../outcomes/runs";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { promptIdOf } from "../session/studio";
import { partOf } from "./part";

/** The ids in prompts of the selected nodes. */
export function selectedTargets(editor: Editor): readonly string[] {
  const tab = editor.tab;
  return tab.selected.map((key) => promptIdOf(tab, key));
}

/** The plan of a run up to these nodes; null where a problem prevents it. */
export async function planForTargets(
  editor: Editor,
  targets: readonly string[],
): Promise<Plan | null> {
  const { prompt } = await client.check(writeGraph(workflowToRun(editor.tab.workflow)));
  const part = partOf(prompt, targets);
  const { report, plan } = await client.check(part.prompt, { targets: part.outputs });
  return report.error === null ? withoutViewers(plan) : null;
}

/** The plan without the temporary nodes, which are not in the document. */
function withoutViewers(plan: Plan): Plan {
  const seen = Object.entries(plan.nodes).filter(([id]) => !isViewer(id));
  const hidden = Object.entries(plan.nodes).filter(([id]) => isViewer(id));
  const run = hidden.filter(([, { state }]) => state === "run" || state === "maybe").length;
  const unknown = hidden.filter(([, { seconds }]) => seconds === null).length;
  return {
    ...plan,
    nodes: Object.fromEntries(seen),
    run: Math.max(0, plan.run - run),
    unknown: Math.max(0, plan.unknown - Math.min(unknown, run)),
  };
}

/** Queues the open document several times with different values, as one batch with its axes. */

import { create as drafted } from "mutative";
import type { BatchAxis } from "../../api/results";
import { type Axis, applyRun, type BatchRun, expand } from "../../document/batch";
import type { Graph, Workflow } from "../../document/graph";
import { levelAt, type Path } from "../../document/levels";
import { writeGraph } from "../../document/write";
import { t } from "../../words/words";
import { titleOf } from "../nodes/naming";
import { changeFilter, NO_FILTER } from "../outcomes/history";
import { recordPrompt, recordSubmitted } from "../outcomes/runs";
import { wholeSentence } from "../outcomes/sentences";
import type { Editor } from "../session/editor";
import { client, clientId } from "../session/server";
import { setting } from "../session/settings";
import { layout, schemaOf } from "../session/studio";
import { useView } from "../session/view";

const MAX_LENGTH = 60;
export const MAX_RUNS = 1_000;

/** An axis with labels for the grid. */
function labelled({ node, name, values }: Axis, graph: Graph): BatchAxis {
  const found = graph.nodes[node];
  const title = found === undefined ? node : titleOf(found, schemaOf(found.type));
  return {
    label: `${title} · ${name}`,
    values: values.map((value) => String(value).slice(0, MAX_LENGTH)),
  };
}

/** Queues all runs, and shows their grid. Reports the number that were accepted. */
export async function runBatch(
  editor: Editor,
  axes: readonly Axis[],
  onQueued: (count: number) => void,
): Promise<void> {
  const { id: tab, name, graph, workflow: whole, level } = editor.tab;
  const batch = crypto.randomUUID();
  const named = axes.map((axis) => labelled(axis, graph));
  let count = 0;
  for (const run of expand(axes)) {
    const changed = withValues(whole, level, run);
    const workflow = writeGraph(changed);
    const { prompt, report, plan } = await client.check(workflow);
    if (report.error !== null) {
      useView.setState({ dock: "problems" });
      throw new Error(refusalOf(run, wholeSentence(report) ?? report.error.message));
    }
    const id = crypto.randomUUID();
    recordPrompt(id, tab);
    recordSubmitted(id, changed, plan);
    const about = { title: name, batch, place: { axes: named, at: run.at } };
    const metadata = setting("calotype.metadata");
    await client.submit({ client: clientId, id, prompt, workflow, about, metadata });
    count += 1;
    onQueued(count);
  }
  changeFilter({ ...NO_FILTER, batch });
  useView.setState({ dock: "history" });
}

function withValues(workflow: Workflow, level: Path, run: BatchRun): Workflow {
  // The library's own types recurse without end on JSON.
  const change = (draft: object) => applyRun(levelAt(draft as Workflow, level), run, layout);
  return drafted(workflow as object, change) as Workflow;
}

function refusalOf(run: BatchRun, message: string): string {
  const values = run.values.map(({ name, value }) => `${name} ${String(value)}`).join(", ");
  return t("With {{values}} this cannot run: {{message}}", { values, message });
}

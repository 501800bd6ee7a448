/** Commands for what is seen of runs, and for runs that start by themselves. */

import { previewsOf, setPreviews } from "../../document/previews";
import { t } from "../../words/words";
import { goTo } from "../editing/levels";
import { placeOf, runBeside, useRuns } from "../outcomes/runs";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { changeSetting, type SettingId, setting } from "../session/settings";
import { activeTab, edit } from "../session/studio";
import { notify, useView } from "../session/view";

const running = () => runBeside(useRuns.getState(), activeTab().id);
const hasNodes = () => activeTab().selected.length > 0;

export const runViewCommands: readonly Command[] = [
  toggle("run.onChange", "Run on every change", "calotype.runOnChange"),
  toggle("run.follow", "Follow the run", "calotype.follow"),
  {
    ...toggle("view.timings", "Show times and memory on nodes", "calotype.timings"),
    group: "View",
  },
  {
    id: "node.previews",
    title: "Show or hide live previews on the selected nodes",
    group: "Node",
    enabled: hasNodes,
    run: togglePreviews,
  },
  {
    id: "run.showCurrent",
    title: "Show the running node",
    group: "Run",
    enabled: () => running()?.node != null,
    run: () => show(running()?.node ?? null),
  },
  {
    id: "run.showFailed",
    title: "Show the failed node",
    group: "Run",
    enabled: () => failed() !== null,
    run: () => {
      useView.setState({ inspector: true });
      show(failed());
    },
  },
];

function toggle(
  id: string,
  title: string,
  wanted: Extract<SettingId, `calotype.${"runOnChange" | "follow" | "timings"}`>,
): Command {
  return { id, title, group: "Run", run: () => changeSetting(wanted, !setting(wanted)) };
}

function togglePreviews(): void {
  const { graph, selected } = activeTab();
  const nodes = selected.flatMap((key) => graph.nodes[key] ?? []);
  const shown = nodes.some(previewsOf);
  edit(activeEditor(), "Previews", (draft) => setPreviews(draft, selected, !shown));
  notify(
    shown
      ? t("The selected nodes show no previews while they run.")
      : t("The selected nodes show previews while they run."),
  );
}

function failed(): string | null {
  const start = placeOf(activeTab().id, "");
  const place = Object.keys(useRuns.getState().errors).find((each) => each.startsWith(start));
  return place?.slice(start.length) ?? null;
}

function show(node: string | null): void {
  if (node !== null) goTo(activeEditor(), node);
}

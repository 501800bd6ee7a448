/**
 * What the open documents need, as the server lists it with each check. Only reports; a file here
 * under another name is put in only when the user asks for it.
 */
import { create } from "zustand";
import type { ModelNeed, Needs } from "../../api/downloads";
import { nodeOfPrompt } from "../../document/levels";
import { t } from "../../words/words";
import { changeValueAt } from "../editing/actions";
import { useRuns } from "../outcomes/runs";
import { type Tab, useStudio } from "../session/studio";
import { notify, openSheet, useView } from "../session/view";

export const NOTHING: Needs = { models: [], packs: [], unknown: {}, omitted: 0 };

/** By document; none before its first check. */
export const useNeeds = create<{ byTab: Readonly<Record<string, Needs>> }>(() => ({ byTab: {} }));

export function recordNeeds(tab: string, needs: Needs = NOTHING): void {
  useNeeds.setState(({ byTab }) => ({ byTab: { ...byTab, [tab]: needs } }));
}

/** Removes what is stored of a document that was closed. */
export function forgetNeeds(tab: string): void {
  useNeeds.setState(({ byTab: { [tab]: _closed, ...byTab } }) => ({ byTab }));
}

export function needsOf(tab: string): Needs {
  return useNeeds.getState().byTab[tab] ?? NOTHING;
}

/** The models that are not on the server. */
export function missingModels({ models }: Needs): ModelNeed[] {
  return models.filter((each) => !each.here);
}

function lacksClasses({ packs, unknown }: Needs): boolean {
  return (
    Object.keys(unknown).length > 0 || packs.some((each) => Object.keys(each.missing).length > 0)
  );
}

/** Whether all missing classes are the program's own, so that no plugin would bring them. */
function lacksOnlyOwn({ packs, unknown }: Needs, absences: Absences): boolean {
  const types = [...Object.keys(unknown), ...packs.flatMap((each) => Object.keys(each.missing))];
  return types.length > 0 && types.every((each) => each in absences);
}

/** By class: why it is missing, where that is known. */
type Absences = Readonly<Record<string, string>>;

/** What is missing in one sentence; null where nothing is. */
export function sentenceOf(needs: Needs, absences: Absences = {}): string | null {
  const files = missingModels(needs).length > 0;
  const classes = lacksClasses(needs);
  if (classes && files) {
    return t(
      "This workflow uses nodes and files that are not on this server. They are kept in the workflow.",
    );
  }
  if (lacksOnlyOwn(needs, absences)) {
    return t("This workflow has nodes that this version of Calotype does not have. They are kept.");
  }
  if (classes) return t("This workflow has nodes that are not installed here. They are kept.");
  if (files) return t("This workflow uses files that are not on this server.");
  return null;
}

/** Names a file that is here in all nodes that wanted the other; one undo takes it back. */
export function putFile({ id, workflow }: Tab, need: ModelNeed, name: string): void {
  const thread = `file ${need.kind}/${need.name} ${Date.now()}`;
  for (const [node, input] of need.nodes) {
    const place = nodeOfPrompt(workflow, node);
    if (place === null || input === "") continue;
    changeValueAt({ id, level: place.path }, place.node.key, input, name, thread);
  }
}

/** Reports what is missing when a workflow was opened. Returns a function that ends it. */
export function watchNeeds(): () => void {
  let open = new Set(useStudio.getState().tabs.map((each) => each.id));
  const pending = new Set<string>();
  let shown: { tab: string; sentence: string } | null = null;
  const tell = (tab: string) => {
    const needs = useNeeds.getState().byTab[tab];
    if (!pending.has(tab) || needs === undefined || useStudio.getState().active !== tab) return;
    pending.delete(tab);
    const sentence = sentenceOf(needs, useRuns.getState().problems[tab]?.absences);
    if (sentence === null) return;
    shown = { tab, sentence };
    notify(sentence, { label: t("Show what is missing"), run: () => openSheet("needs") });
  };
  const endTabs = useStudio.subscribe(({ tabs, active }) => {
    // The notice is about one document, so it is removed when another one is shown.
    if (shown !== null && shown.tab !== active) {
      if (useView.getState().notice?.text === shown.sentence) useView.setState({ notice: null });
      shown = null;
    }
    for (const { id } of tabs) if (!open.has(id)) pending.add(id);
    open = new Set(tabs.map((each) => each.id));
    for (const id of pending) if (!open.has(id)) pending.delete(id);
    tell(active);
  });
  const endNeeds = useNeeds.subscribe(() => tell(useStudio.getState().active));
  return () => {
    endTabs();
    endNeeds();
  };
}

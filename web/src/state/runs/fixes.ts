/**
 * All problems and failures of a document: a sentence, its place, and possible fixes. A fix is an
 * ordinary edit, which can be undone.
 */

import type { InputProblem, ValidationReport } from "../../api/client";
import type { Graph, GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { levelAt, nodeOfPrompt, ROOT } from "../../document/levels";
import { t } from "../../words/words";
import { changeValue, disconnect, insertBetween } from "../editing/actions";
import { goTo } from "../editing/levels";
import { missingModels, needsOf, putFile } from "../files/needs";
import { convertersFor } from "../nodes/sockets";
import { placeOf } from "../outcomes/runs";
import { absenceOf, problemsIn, sentenceOf, wholeSentence } from "../outcomes/sentences";
import type { Editor } from "../session/editor";
import { schemaOf, type Tab, useStudio } from "../session/studio";
import { openSheet } from "../session/view";
import {
  addNegative,
  addSaveNode,
  connectSources,
  type Fix,
  linkInto,
  MAX_FIXES,
} from "./wireFixes";

export type ProblemGroup = "run" | "document" | "wires" | "files" | "values" | "plugins" | "former";

export interface Problem {
  group: ProblemGroup;
  /** The node's id in prompts; null where it concerns the whole document. */
  node: string | null;
  input: string | null;
  text: string;
  fixes: readonly Fix[];
}

/** In order of importance: failures, then problems that prevent any run. */
export function problemsOf(
  editor: Editor,
  tab: Tab,
  report: ValidationReport | undefined,
  failures: Readonly<Record<string, string>>,
  former: Readonly<Record<string, string>> = {},
): Problem[] {
  const found: Problem[] = [];
  const start = placeOf(tab.id, "");
  for (const [place, text] of Object.entries(failures)) {
    if (!place.startsWith(start)) continue;
    const fixes = lacksTokenizer(text) ? [showNeeds()] : [];
    found.push({ group: "run", node: place.slice(start.length), input: null, text, fixes });
  }
  for (const [place, text] of Object.entries(former)) {
    if (!place.startsWith(start)) continue;
    found.push({ group: "former", node: place.slice(start.length), input: null, text, fixes: [] });
  }
  for (const [type, ids] of Object.entries(report?.missing ?? {})) {
    const text = absenceOf(report, type);
    for (const node of ids) found.push({ group: "plugins", node, input: null, text, fixes: [] });
  }
  for (const [id, problems] of Object.entries(report?.node_errors ?? {})) {
    for (const each of problemsIn(problems)) found.push(problemFrom(editor, tab, id, each));
  }
  const whole = wholeSentence(report);
  const hasNoOther = found.every((each) => each.group === "former");
  if (whole !== null && (hasNoOther || report?.error?.type === "prompt_no_outputs")) {
    const fixes = report?.error?.type === "prompt_no_outputs" ? addSaveNode(editor, tab) : [];
    found.push({ group: "document", node: null, input: null, text: whole, fixes });
  }
  return found;
}

const GROUPS: Readonly<Record<string, ProblemGroup>> = {
  required_input_missing: "wires",
  return_type_mismatch: "wires",
  bad_linked_input: "wires",
  dependency_cycle: "wires",
  exception_during_validation: "wires",
};

function problemFrom(editor: Editor, tab: Tab, id: string, problem: InputProblem): Problem {
  const isFile = problem.extra_info?.nearest !== undefined;
  const place = nodeOfPrompt(tab.workflow, id);
  const graph = levelAt(tab.workflow, place?.path ?? ROOT);
  const isHere = place?.path.join() === tab.level.join();
  const edits = place === null ? [] : fixesFor(editor, graph, place.node, problem);
  const input = problem.extra_info?.input_name ?? null;
  const fixes = isFile ? [...fixesForFile(tab, id, input), ...edits] : edits;
  return {
    group: isFile ? "files" : (GROUPS[problem.type] ?? "values"),
    node: id,
    input,
    text: sentenceOf(problem),
    // An edit applies to the level shown, so the node's level is shown first.
    fixes: isHere ? fixes : fixes.map((fix) => ({ ...fix, run: () => applyAt(editor, id, fix) })),
  };
}

/** A file that differs only by folder or case, and where the wanted one can be fetched. */
function fixesForFile(tab: Tab, id: string, input: string | null): Fix[] {
  const need = missingModels(needsOf(tab.id)).find((each) =>
    each.nodes.some(([node, name]) => node === id && name === input),
  );
  if (need === undefined) return [];
  const offers = need.offers.slice(0, MAX_FIXES).map((name) => ({
    title: t("Use {{name}}", { name }),
    run: () => putFile(tab, need, name),
  }));
  return need.host === null ? offers : [...offers, showNeeds()];
}

function showNeeds(): Fix {
  return { title: t("Show where to get it"), run: () => openSheet("needs") };
}

/** Whether a run failed for lack of a tokenizer: the server's sentence names its folder. */
export function lacksTokenizer(text: string): boolean {
  return text.includes("models/tokenizers/");
}

function applyAt(editor: Editor, id: string, fix: Fix): void {
  goTo(editor, id);
  fix.run();
}

function fixesFor(editor: Editor, graph: Graph, node: GraphNode, problem: InputProblem): Fix[] {
  const { extra_info: extra } = problem;
  const input = extra?.input_name ?? "";
  const [, options] = extra?.input_config ?? [];
  const set = (value: unknown, title: string): Fix => ({
    title,
    run: () => changeValue(editor, node.key, input, value as Json),
  });
  switch (problem.type) {
    case "value_not_in_list":
      return similarChoices(node, input, extra?.nearest).map((each) =>
        set(each, t("Use {{name}}", { name: each })),
      );
    case "value_bigger_than_max":
      return [set(options?.max, t("Set to {{value}}", { value: String(options?.max) }))];
    case "value_smaller_than_min":
      return [set(options?.min, t("Set to {{value}}", { value: String(options?.min) }))];
    case "invalid_input_type": {
      const standard = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.options
        .default;
      if (standard === undefined) return [];
      return [set(standard, t("Set to {{value}}", { value: String(standard) }))];
    }
    case "required_input_missing":
      return [
        ...addNegative(editor, graph, node, input),
        ...connectSources(editor, graph, node, input),
      ];
    case "return_type_mismatch":
      return [...insertConverter(editor, graph, node, input), ...removeWire(editor, node, input)];
    case "exception_during_validation":
      return removeWire(editor, node, input);
    case "dependency_cycle":
      return breakCycle(editor, graph, extra?.cycle_nodes ?? []);
    default:
      return [];
  }
}

/** The most similar files; of other choices, the first. */
function similarChoices(node: GraphNode, input: string, nearest?: readonly string[]): string[] {
  // Of files, which are the ones with nearest names: another model is no fix.
  if (nearest !== undefined) return nearest.slice(0, MAX_FIXES);
  const all = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.choices ?? [];
  return all.slice(0, 1).map(String);
}

function removeWire(editor: Editor, node: GraphNode, input: string): Fix[] {
  const link = linkInto(node, input);
  return link === null
    ? []
    : [{ title: t("Remove the wire"), run: () => disconnect(editor, link) }];
}

function insertConverter(editor: Editor, graph: Graph, node: GraphNode, input: string): Fix[] {
  const link = graph.links[linkInto(node, input) ?? ""];
  const source = graph.nodes[link?.from ?? ""];
  const inputType = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.type;
  const outputType = schemaOf(source?.type ?? "")?.outputs[link?.fromSlot ?? -1]?.type;
  if (link === undefined || inputType === undefined || outputType === undefined) return [];
  const [converter] = convertersFor(useStudio.getState().catalog, outputType, inputType);
  if (converter === undefined) return [];
  const wire = { from: link.from, slot: link.fromSlot, to: node.key, input };
  return [
    {
      title: t("Insert {{node}} between", { node: converter.display_name }),
      run: () => insertBetween(editor, converter, wire, outputType, inputType),
    },
  ];
}

/** Breaks a cycle at its last wire. */
function breakCycle(editor: Editor, graph: Graph, nodes: readonly string[]): Fix[] {
  const [from, to] = nodes.slice(-2);
  const link = Object.values(graph.links).find((each) => each.from === from && each.to === to);
  if (link === undefined) return [];
  return [{ title: t("Remove its last wire"), run: () => disconnect(editor, link.key) }];
}

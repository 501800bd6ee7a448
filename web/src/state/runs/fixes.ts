/**
 * All problems and failures of a document: a sentence, its place, and possible fixes. A fix is an
 * ordinary edit, which can be undone.
 */
import type { InputProblem, ValidationReport } from "../../api/client";
import type { Graph, GraphNode } from "../../document/graph";
import type { Json } from "../../document/json";
import { levelAt, nodeOfPrompt, ROOT } from "../../document/levels";
import { t } from "../../words/words";
import { changeValue, connectWire, disconnect, insertBetween, placeNode } from "../editing/actions";
import { goTo } from "../editing/levels";
import { boundsOf, GRID } from "../nodes/shape";
import { convertersFor, fits } from "../nodes/sockets";
import { schemaOf, type Tab, useStudio } from "../studio";
import { placeOf } from "./runs";
import { sentenceOf, wholeSentence } from "./sentences";

interface Fix {
  title: string;
  run: () => void;
}

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
  tab: Tab,
  report: ValidationReport | undefined,
  failures: Readonly<Record<string, string>>,
  former: Readonly<Record<string, string>> = {},
): Problem[] {
  const found: Problem[] = [];
  const start = placeOf(tab.id, "");
  for (const [place, text] of Object.entries(failures)) {
    if (!place.startsWith(start)) continue;
    found.push({ group: "run", node: place.slice(start.length), input: null, text, fixes: [] });
  }
  for (const [place, text] of Object.entries(former)) {
    if (!place.startsWith(start)) continue;
    found.push({ group: "former", node: place.slice(start.length), input: null, text, fixes: [] });
  }
  for (const [type, ids] of Object.entries(report?.missing ?? {})) {
    const text = t("{{type}} is not installed: its plugin is missing.", { type });
    for (const node of ids) found.push({ group: "plugins", node, input: null, text, fixes: [] });
  }
  for (const [id, { errors }] of Object.entries(report?.node_errors ?? {})) {
    for (const each of errors) found.push(problemFrom(tab, id, each));
  }
  const whole = wholeSentence(report);
  const hasNoOther = found.every((each) => each.group === "former");
  if (whole !== null && (hasNoOther || report?.error?.type === "prompt_no_outputs")) {
    const fixes = report?.error?.type === "prompt_no_outputs" ? addSaveNode(tab) : [];
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

function problemFrom(tab: Tab, id: string, problem: InputProblem): Problem {
  const isFile = problem.extra_info?.nearest !== undefined;
  const place = nodeOfPrompt(tab.workflow, id);
  const graph = levelAt(tab.workflow, place?.path ?? ROOT);
  const isHere = place?.path.join() === tab.level.join();
  const fixes = place === null ? [] : fixesFor(graph, place.node, problem);
  return {
    group: isFile ? "files" : (GROUPS[problem.type] ?? "values"),
    node: id,
    input: problem.extra_info?.input_name ?? null,
    text: sentenceOf(problem),
    // An edit applies to the level shown, so the node's level is shown first.
    fixes: isHere ? fixes : fixes.map((fix) => ({ ...fix, run: () => applyAt(id, fix) })),
  };
}

function applyAt(id: string, fix: Fix): void {
  goTo(id);
  fix.run();
}

function fixesFor(graph: Graph, node: GraphNode, problem: InputProblem): Fix[] {
  const { extra_info: extra } = problem;
  const input = extra?.input_name ?? "";
  const [, options] = extra?.input_config ?? [];
  const set = (value: unknown, title: string): Fix => ({
    title,
    run: () => changeValue(node.key, input, value as Json),
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
      return connectSources(graph, node, input);
    case "return_type_mismatch":
      return [...insertConverter(graph, node, input), ...removeWire(node, input)];
    case "exception_during_validation":
      return removeWire(node, input);
    case "dependency_cycle":
      return breakCycle(graph, extra?.cycle_nodes ?? []);
    default:
      return [];
  }
}

const MAX_FIXES = 2;

/** The most similar names; where none is similar, the first choices. */
function similarChoices(node: GraphNode, input: string, nearest: readonly string[] = []): string[] {
  if (nearest.length > 0) return nearest.slice(0, MAX_FIXES);
  const all = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.choices ?? [];
  return all.slice(0, 1).map(String);
}

/** Outputs that fit, those of the nearest nodes first. */
function connectSources(graph: Graph, node: GraphNode, input: string): Fix[] {
  const inputType = schemaOf(node.type)?.inputs.find((each) => each.name === input)?.type;
  if (inputType === undefined) return [];
  const found: { fix: Fix; distance: number }[] = [];
  for (const source of Object.values(graph.nodes)) {
    const schema = schemaOf(source.type);
    const slot = schema?.outputs.findIndex((each) => fits(each.type, inputType)) ?? -1;
    if (schema === undefined || slot < 0 || source.key === node.key) continue;
    const title = source.title ?? schema.display_name;
    found.push({
      distance: Math.hypot(
        source.position.x - node.position.x,
        source.position.y - node.position.y,
      ),
      fix: {
        title: t("Connect {{node}}", { node: title }),
        run: () => connectWire({ from: source.key, slot, to: node.key, input }),
      },
    });
  }
  found.sort((one, other) => one.distance - other.distance);
  return found.slice(0, MAX_FIXES).map((each) => each.fix);
}

function linkInto(node: GraphNode, input: string): string | null {
  return node.inputs.find((each) => each.name === input)?.link ?? null;
}

function removeWire(node: GraphNode, input: string): Fix[] {
  const link = linkInto(node, input);
  return link === null ? [] : [{ title: t("Remove the wire"), run: () => disconnect(link) }];
}

function insertConverter(graph: Graph, node: GraphNode, input: string): Fix[] {
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
      run: () => insertBetween(converter, wire, outputType, inputType),
    },
  ];
}

/** Breaks a cycle at its last wire. */
function breakCycle(graph: Graph, nodes: readonly string[]): Fix[] {
  const [from, to] = nodes.slice(-2);
  const link = Object.values(graph.links).find((each) => each.from === from && each.to === to);
  if (link === undefined) return [];
  return [{ title: t("Remove its last wire"), run: () => disconnect(link.key) }];
}

/** Adds a node that saves, for the newest picture that is not used. */
function addSaveNode({ graph, level }: Tab): Fix[] {
  if (level.length > 0) return [];
  const schema = schemaOf("SaveImage");
  if (schema === undefined) return [];
  const bounds = boundsOf(graph, graph.order);
  const at =
    bounds === null ? { x: 0, y: 0 } : { x: bounds.x + bounds.width + 4 * GRID, y: bounds.y };
  const open = graph.order.flatMap((key) => {
    const node = graph.nodes[key];
    const slot =
      schemaOf(node?.type ?? "")?.outputs.findIndex((each) => each.type === "IMAGE") ?? -1;
    const taken = (node?.outputs[slot]?.links.length ?? 0) > 0;
    return slot < 0 || taken ? [] : [{ node: key, socket: String(slot) }];
  });
  const source = open.at(-1);
  const pulled =
    source === undefined ? null : { ...source, side: "output" as const, type: "IMAGE" };
  const run = () => void placeNode(schema, at, pulled);
  return [{ title: t("Add {{node}}", { node: schema.display_name }), run }];
}

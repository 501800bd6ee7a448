/** The details of a failure, and a report of it as a text for others. */
import type { ExecutionError } from "../../api/types";
import type { Graph, GraphNode, Workflow } from "../../document/graph";
import { equalJson, writeJson } from "../../document/json";
import { allNodes, levelAt } from "../../document/levels";
import { t } from "../../words/words";
import { client } from "../session/server";

const MAX_LENGTH = 200;

/** The inputs of the node, one line each. */
export function inputsGiven(error: ExecutionError): { name: string; value: string }[] {
  return Object.entries(error.current_inputs).map(([name, values]) => {
    const text = (Array.isArray(values) ? values : [values]).map(asText).join(", ");
    return { name, value: text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text };
  });
}

export function tracebackOf(error: ExecutionError): string {
  return error.traceback.join("").trimEnd();
}

/** A report in Markdown, with the versions in use. In English, as other people read it. */
export async function reportOf(error: ExecutionError): Promise<string> {
  const { system, devices } = await client.machine();
  const given = inputsGiven(error).map(({ name, value }) => `- ${name}: ${value}`);
  return [
    `# ${error.node_type} failed`,
    error.exception_message.trim(),
    "",
    `- error: ${error.exception_type}`,
    `- node: ${error.node_type} (${error.node_id})`,
    `- Calotype ${system.calotype_version ?? "?"}, Python ${system.python_version ?? "?"}, torch ${system.pytorch_version ?? "?"}, ${system.os ?? "?"}`,
    ...devices.map((each) => `- device: ${each.name}`),
    ...(given.length === 0 ? [] : ["", "## Inputs", ...given]),
    ...(error.traceback.length === 0 ? [] : ["", "## Traceback", "```", tracebackOf(error), "```"]),
    "",
  ].join("\n");
}

interface Changed {
  /** The node's id in prompts. */
  node: string;
  text: string;
}

/** The changes of a document since its last successful run, node by node. */
export function changedSince(before: Workflow, now: Workflow): Changed[] {
  const found: Changed[] = [];
  const [old, current] = [nodesOf(before), nodesOf(now)];
  for (const [id, { graph, node }] of current) {
    const previous = old.get(id);
    if (previous === undefined) found.push({ node: id, text: t("added") });
    else if (previous.node !== node || previous.graph.links !== graph.links) {
      found.push(...changes(previous, { graph, node }).map((text) => ({ node: id, text })));
    }
  }
  for (const id of old.keys()) if (!current.has(id)) found.push({ node: id, text: t("removed") });
  return found;
}

interface NodeInGraph {
  graph: Graph;
  node: GraphNode;
}

function nodesOf(workflow: Workflow): Map<string, NodeInGraph> {
  return new Map(
    allNodes(workflow).map(({ id, node }) => [
      id,
      { graph: levelAt(workflow, id.split(":").slice(0, -1)), node },
    ]),
  );
}

function changes(before: NodeInGraph, after: NodeInGraph): string[] {
  const found: string[] = [];
  for (const [name, value] of Object.entries(after.node.values)) {
    const previous = before.node.values[name];
    if (!equalJson(previous, value)) found.push(`${name}: ${short(previous)} → ${short(value)}`);
  }
  if (before.node.mode !== after.node.mode) found.push(t("mute or bypass changed"));
  for (const { name, link } of after.node.inputs) {
    const previous = before.node.inputs.find((each) => each.name === name)?.link ?? null;
    const [from, to] = [sourceOf(before.graph, previous), sourceOf(after.graph, link)];
    if (from !== to) found.push(`${name}: ${from} → ${to}`);
  }
  return found;
}

function sourceOf(graph: Graph, link: string | null): string {
  const found = graph.links[link ?? ""];
  return found === undefined ? "–" : `#${found.from}`;
}

const MAX_SHORT = 40;

function short(value: unknown): string {
  if (value === undefined) return "–";
  const text = asText(value);
  return text.length > MAX_SHORT ? `${text.slice(0, MAX_SHORT)}…` : text;
}

/** Lists and objects as JSON; seeds in them may exceed JavaScript's numbers. */
function asText(value: unknown): string {
  return typeof value === "object" ? writeJson(value) : String(value);
}

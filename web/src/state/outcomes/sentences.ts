/** The validator's findings as sentences: what was asked, what was found, what is available. */
import type { InputProblem, NodeProblems, ValidationReport } from "../../api/client";
import { writeJson } from "../../document/json";
import { currentLanguage, t } from "../../words/words";

export function sentenceOf(problem: InputProblem): string {
  const { type, message, details, extra_info: extra } = problem;
  const input = extra?.input_name ?? "";
  const given = shown(extra?.received_value);
  const [, options] = extra?.input_config ?? [];
  switch (type) {
    case "required_input_missing":
      return t("{{input}} is missing: connect something to it, or give it a value.", { input });
    case "value_not_in_list":
      return missing(problem, input, given);
    case "value_bigger_than_max":
      return t("{{input}} is {{given}}; the maximum is {{limit}}.", {
        input,
        given,
        limit: shown(options?.max),
      });
    case "value_smaller_than_min":
      return t("{{input}} is {{given}}; the minimum is {{limit}}.", {
        input,
        given,
        limit: shown(options?.min),
      });
    case "invalid_input_type":
      return t("{{input}} cannot be read: {{given}}.", { input, given });
    case "return_type_mismatch":
      return t("{{input}} takes {{wanted}}, but the wire supplies {{received}}.", {
        input,
        wanted:
          typeof extra.input_config?.[0] === "string" ? extra.input_config[0] : t("another type"),
        received: String(extra.received_type),
      });
    case "dependency_cycle":
      return t("The wires form a cycle. Remove one of them.");
    case "exception_during_validation":
      return t("The wire into {{input}} has no source.", { input });
    case "custom_validation_failed":
      return details;
    default:
      return plainly(message, details, input);
  }
}

function missing({ extra_info: extra }: InputProblem, input: string, given: string): string {
  if (extra.nearest === undefined)
    return t("{{given}} is not a choice of {{input}}.", { input, given });
  return extra.nearest.length === 0
    ? t("{{given}} is not among the files for {{input}}.", { input, given })
    : t("{{given}} is not among the files for {{input}}. The nearest: {{names}}.", {
        input,
        given,
        names: extra.nearest.join(", "),
      });
}

/** Why a class of nodes is missing. */
export function absenceOf(report: ValidationReport | undefined, type: string): string {
  const known = report?.absences?.[type];
  return known === undefined
    ? t("{{type}} is not installed: its plugin is missing.", { type })
    : `${known}.`;
}

function plainly(message: string, details: string, input: string): string {
  const text = details !== "" && details !== input ? `${message}: ${details}` : message;
  return input === "" || text.includes(input) ? text : `${input}: ${text}`;
}

function shown(value: unknown): string {
  if (typeof value === "string") return value === "" ? t("nothing") : value;
  if (value === undefined || value === null) return t("nothing");
  return typeof value === "object" ? writeJson(value) : String(value);
}

type Sentences = ReadonlyMap<string, readonly string[]>;
const byNode = new WeakMap<ValidationReport, { language: string; found: Sentences }>();

/** All sentences of a report, by node id in the prompt. */
export function sentencesOf(report: ValidationReport): Sentences {
  const cached = byNode.get(report);
  if (cached?.language === currentLanguage()) return cached.found;
  const found = new Map<string, string[]>();
  const note = (node: string, text: string) => {
    const before = found.get(node) ?? [];
    if (!before.includes(text)) found.set(node, [...before, text]);
  };
  for (const [id, problems] of Object.entries(report.node_errors)) {
    for (const each of problemsIn(problems)) note(id, sentenceOf(each));
  }
  for (const [type, ids] of Object.entries(report.missing ?? {})) {
    for (const id of ids) note(id, absenceOf(report, type));
  }
  byNode.set(report, { language: currentLanguage(), found });
  return found;
}

/**
 * The problems of a node's inputs. That its class is missing is left out: `missing` lists it, with
 * the reason where that is known.
 */
export function problemsIn(problems: NodeProblems | undefined): readonly InputProblem[] {
  return (problems?.errors ?? []).filter(({ type }) => type !== "missing_node_type");
}

/** Why nothing can run, as a sentence; null where something can. */
export function wholeSentence(report: ValidationReport | undefined): string | null {
  const error = report?.error;
  if (error == null) return null;
  switch (error.type) {
    case "prompt_no_outputs":
      return t("Nothing would be saved or shown: the workflow has no output node.");
    case "prompt_outputs_failed_validation":
      return t("No output can run.");
    case "no_prompt":
      return t("There is no node that could run.");
    default:
      return error.message;
  }
}

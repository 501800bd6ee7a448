/**
 * What the server thinks of the open document, asked as one edits and after each run: what is
 * wrong with it, and what a run would do.
 */
import type { CheckResult, ValidationReport } from "../../api/client";
import { HttpError } from "../../api/transport";
import type { Plan } from "../../api/types";
import type { Workflow } from "../../document/graph";
import { writeGraph } from "../../document/write";
import { workflowToRun } from "../fields/rolling";
import { client } from "../server";
import { activeTab, type Tab, useStudio } from "../studio";
import { useRuns } from "./runs";

const CHECK_AFTER = 400;
const NO_PLAN: Plan = { nodes: {}, run: 0, cached: 0, seconds: null, memory: null, unknown: 0 };
const FINE: ValidationReport = { error: null, node_errors: {} };

/** Told of each document that rests without a fault, with what a run of it would do. */
type OnValid = (tab: Tab, plan: Plan) => void;

let askAgain: () => void = () => undefined;

/** Has the open document checked once more: something other than the document has changed. */
export function checkAgain(): void {
  askAgain();
}

export function recordCheck(tab: string, { report, plan }: CheckResult): void {
  note(tab, report, plan);
}

function note(tab: string, report: ValidationReport, plan: Plan): void {
  useRuns.setState(({ problems, plans }) => ({
    problems: { ...problems, [tab]: report },
    plans: { ...plans, [tab]: plan },
  }));
}

/** Asks the server about the open document whenever it has rested. Returns what ends it. */
export function watchProblems(whenFine: OnValid = () => undefined): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked: AbortController | undefined;
  let seen: Workflow | null = null;
  const ask = async (tab: Tab) => {
    asked?.abort();
    asked = new AbortController();
    if (tab.workflow.order.length === 0) {
      note(tab.id, FINE, NO_PLAN);
      return;
    }
    try {
      const checked = await client.check(writeGraph(workflowToRun(tab.workflow)), {
        signal: asked.signal,
      });
      recordCheck(tab.id, checked);
      if (checked.report.error === null) whenFine(tab, checked.plan);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      // A server that is away is said by the run bar; a document it cannot read is said here.
      if (error instanceof HttpError) note(tab.id, unreadable(error), NO_PLAN);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(activeTab()), CHECK_AFTER);
  };
  const look = () => {
    const { workflow } = activeTab();
    if (workflow === seen) return;
    seen = workflow;
    soon();
  };
  look();
  askAgain = () => {
    clearTimeout(timer);
    void ask(activeTab());
  };
  const stop = useStudio.subscribe(look);
  return () => {
    stop();
    askAgain = () => undefined;
    clearTimeout(timer);
    asked?.abort();
  };
}

function unreadable(error: HttpError): ValidationReport {
  return {
    error: { type: "unreadable", message: error.message, details: "" },
    node_errors: {},
  };
}

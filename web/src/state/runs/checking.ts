/**
 * Checks the open document on the server, after edits and after each run: its problems, and what a
 * run would do.
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

/** Called for each document without problems once it is not being edited, with its plan. */
type OnValid = (tab: Tab, plan: Plan) => void;

let askAgain: () => void = () => undefined;

/** Checks the open document again, after a change outside of the document. */
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

/** Starts checking the open document after edits. Returns a function that ends it. */
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
      // The run bar shows that the server is unreachable; a document it cannot read is reported
      // here.
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

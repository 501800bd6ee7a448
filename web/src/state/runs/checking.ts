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
import { recordNeeds } from "../files/needs";
import { client } from "../server";
import { activeTab, type Tab, useStudio } from "../studio";
import { useRuns } from "./runs";

const CHECK_DELAY = 400;
const NO_PLAN: Plan = { nodes: {}, run: 0, cached: 0, seconds: null, memory: null, unknown: 0 };
const NO_PROBLEMS: ValidationReport = { error: null, node_errors: {} };

/** Called for each document without problems once it is not being edited, with its plan. */
type OnValid = (tab: Tab, plan: Plan) => void;

let checkNow: () => void = () => undefined;

/** Checks the open document again, after a change outside of the document. */
export function checkAgain(): void {
  checkNow();
}

export function recordCheck(tab: string, { report, plan, needs }: CheckResult): void {
  record(tab, report, plan);
  recordNeeds(tab, needs);
}

function record(tab: string, report: ValidationReport, plan: Plan): void {
  useRuns.setState(({ problems, plans }) => ({
    problems: { ...problems, [tab]: report },
    plans: { ...plans, [tab]: plan },
  }));
}

/** Starts checking the open document after edits. Returns a function that ends it. */
export function watchProblems(onValid: OnValid = () => undefined): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pendingCheck: AbortController | undefined;
  let lastChecked: Workflow | null = null;
  const check = async (tab: Tab) => {
    pendingCheck?.abort();
    pendingCheck = new AbortController();
    if (tab.workflow.order.length === 0) {
      record(tab.id, NO_PROBLEMS, NO_PLAN);
      return;
    }
    try {
      const checked = await client.check(writeGraph(workflowToRun(tab.workflow)), {
        signal: pendingCheck.signal,
      });
      recordCheck(tab.id, checked);
      if (checked.report.error === null) onValid(tab, checked.plan);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      // The run bar shows that the server is unreachable; a document it cannot read is reported
      // here.
      if (error instanceof HttpError) record(tab.id, unreadable(error), NO_PLAN);
    }
  };
  const schedule = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void check(activeTab()), CHECK_DELAY);
  };
  const onChange = () => {
    const { workflow } = activeTab();
    if (workflow === lastChecked) return;
    lastChecked = workflow;
    schedule();
  };
  onChange();
  checkNow = () => {
    clearTimeout(timer);
    void check(activeTab());
  };
  const stop = useStudio.subscribe(onChange);
  return () => {
    stop();
    checkNow = () => undefined;
    clearTimeout(timer);
    pendingCheck?.abort();
  };
}

function unreadable(error: HttpError): ValidationReport {
  return {
    error: { type: "unreadable", message: error.message, details: "" },
    node_errors: {},
  };
}

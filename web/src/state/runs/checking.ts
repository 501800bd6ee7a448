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
import { useRuns } from "../outcomes/runs";
import { client } from "../session/server";
import { activeTab, type Tab, tabOf, useStudio } from "../session/studio";

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
  if (tabOf(tab) === undefined) return;
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
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const pending = new Map<string, AbortController>();
  let lastChecked: Workflow | null = null;
  const check = async (id: string) => {
    clearTimeout(timers.get(id));
    pending.get(id)?.abort();
    const tab = tabOf(id);
    if (tab === undefined) return;
    const { signal } = put(pending, id, new AbortController());
    if (tab.workflow.order.length === 0) {
      record(tab.id, NO_PROBLEMS, NO_PLAN);
      return;
    }
    try {
      const checked = await client.check(writeGraph(workflowToRun(tab.workflow)), { signal });
      recordCheck(tab.id, checked);
      if (checked.report.error === null) onValid(tab, checked.plan);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;
      // The run bar shows that the server is unreachable; a document it cannot read is reported
      // here.
      if (error instanceof HttpError) record(tab.id, unreadable(error), NO_PLAN);
    }
  };
  const endClosed = () => {
    for (const [id, timer] of timers) {
      if (tabOf(id) !== undefined) continue;
      clearTimeout(timer);
      timers.delete(id);
      pending.get(id)?.abort();
      pending.delete(id);
    }
  };
  const onChange = () => {
    endClosed();
    const { id, workflow } = activeTab();
    if (workflow === lastChecked) return;
    lastChecked = workflow;
    clearTimeout(timers.get(id));
    timers.set(
      id,
      setTimeout(() => void check(id), CHECK_DELAY),
    );
  };
  onChange();
  checkNow = () => void check(activeTab().id);
  const stop = useStudio.subscribe(onChange);
  return () => {
    stop();
    checkNow = () => undefined;
    for (const timer of timers.values()) clearTimeout(timer);
    for (const each of pending.values()) each.abort();
  };
}

function put<Value>(all: Map<string, Value>, id: string, value: Value): Value {
  all.set(id, value);
  return value;
}

function unreadable(error: HttpError): ValidationReport {
  return {
    error: { type: "unreadable", message: error.message, details: "" },
    node_errors: {},
  };
}

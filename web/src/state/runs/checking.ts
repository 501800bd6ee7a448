/**
 * Checks the documents that are shown on the server, after edits and after each run: its problems, and what a
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
import { documentOf } from "../session/sides";
import { activeTab, type Tab, tabOf, useStudio } from "../session/studio";
import { useView } from "../session/view";

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

/** Starts checking the documents that are shown after edits. Returns a function that ends it. */
export function watchProblems(onValid: OnValid = () => undefined): () => void {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const pending = new Map<string, AbortController>();
  const lastChecked = new Map<string, Workflow>();
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
      if (checked.report.error === null && useStudio.getState().active === id)
        onValid(tab, checked.plan);
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
      lastChecked.delete(id);
    }
  };
  const onChange = () => {
    endClosed();
    for (const id of shownDocuments()) {
      const workflow = tabOf(id)?.workflow;
      if (workflow === undefined || workflow === lastChecked.get(id)) continue;
      lastChecked.set(id, workflow);
      clearTimeout(timers.get(id));
      const later = () => void check(id);
      timers.set(id, setTimeout(later, CHECK_DELAY));
    }
  };
  onChange();
  checkNow = () => {
    for (const id of shownDocuments()) void check(id);
  };
  const stops = [useStudio.subscribe(onChange), useView.subscribe(onChange)];
  return () => {
    for (const stop of stops) stop();
    checkNow = () => undefined;
    for (const timer of timers.values()) clearTimeout(timer);
    for (const each of pending.values()) each.abort();
  };
}

/** The documents that are seen: the active one, and that of the other side of the split view. */
function shownDocuments(): ReadonlySet<string> {
  const panes = useView.getState().split?.panes ?? [];
  return new Set([activeTab().id, ...panes.map(documentOf)]);
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

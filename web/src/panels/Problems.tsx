/**
 * The problems that keep the open document from running, and its failures: each with its node and
 * the fixes for it.
 */

import { goTo, titleOfPrompt } from "../state/editing/levels";
import { useRuns } from "../state/outcomes/runs";
import { problemsIn } from "../state/outcomes/sentences";
import { type Problem, type ProblemGroup, problemsOf } from "../state/runs/fixes";
import { type Editor, useEditor } from "../state/session/editor";
import { useActive, useStudio } from "../state/session/studio";
import { useView } from "../state/session/view";
import { t } from "../words/words";
import { Failure } from "./Failure";
import "./run.css";

const TITLES: Readonly<Record<ProblemGroup, string>> = {
  run: "Failed in the last run",
  document: "The workflow",
  plugins: "Missing nodes",
  files: "Missing files",
  wires: "Wires",
  values: "Values",
  former: "Failed in the last run, edited since",
};

/** The number of problems of the open document, for wherever it is shown. */
export function useProblemCount(): number {
  const tab = useActive((each) => each.id);
  return useRuns(({ problems, failures }) => {
    const report = problems[tab];
    const failed = Object.keys(failures).filter((place) => place.startsWith(`${tab}/`)).length;
    const found = Object.values(report?.node_errors ?? {}).flatMap(problemsIn).length;
    const missing = Object.values(report?.missing ?? {}).flat().length;
    const whole = report?.error != null && found + missing === 0 ? 1 : 0;
    return failed + found + missing + whole;
  });
}

export function Problems() {
  const editor = useEditor();
  const tab = useActive((each) => each);
  const report = useRuns((state) => state.problems[tab.id]);
  const failures = useRuns((state) => state.failures);
  const former = useRuns((state) => state.former);
  const problems = problemsOf(editor, tab, report, failures, former);
  const groups = Object.keys(TITLES).flatMap((group) => {
    const found = problems.filter((each) => each.group === group);
    return found.length === 0 ? [] : [{ group: group as ProblemGroup, found }];
  });
  return (
    <div className="problem-groups" aria-live="polite">
      {groups.length === 0 && <p className="empty">{t("No problems: this workflow can run.")}</p>}
      {groups.map(({ group, found }) => (
        <section key={group} aria-label={t(TITLES[group])}>
          <h3>
            {t(TITLES[group])} <span className="kind">{found.length}</span>
          </h3>
          <ul>
            {found.map((each) => (
              <Line key={`${each.node} ${each.input} ${each.text}`} problem={each} />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function Line({ problem: { node, input, text, fixes, group } }: { problem: Problem }) {
  const editor = useEditor();
  const catalog = useStudio((state) => state.catalog);
  const tab = useActive((each) => each);
  return (
    <li>
      <i className={group === "former" ? "state" : "state wrong"} />
      {node !== null && (
        <button type="button" className="link" onClick={() => goToField(editor, node, input)}>
          {titleOfPrompt(tab, node, catalog) ?? `#${node}`}
        </button>
      )}
      {(group === "run" || group === "former") && node !== null ? (
        <Failure node={node} />
      ) : (
        <span className="reason">{text}</span>
      )}
      {fixes.map((fix) => (
        <button key={fix.title} type="button" className="fix" onClick={fix.run}>
          {fix.title}
        </button>
      ))}
    </li>
  );
}

/** Shows a node, and moves the focus to the field with the problem. */
function goToField(editor: Editor, node: string, input: string | null): void {
  goTo(editor, node);
  useView.setState({ inspector: true });
  const key = node.split(":").at(-1) ?? "";
  if (input === null) return;
  let tries = 30;
  const look = () => {
    const place = `[data-node="${CSS.escape(key)}"] [data-input="${CSS.escape(input)}"]`;
    const field = document.querySelector<HTMLElement>(
      ["input", "textarea", "button", "select"].map((each) => `${place} ${each}`).join(", "),
    );
    tries -= 1;
    if (field !== null) field.focus({ preventScroll: true });
    else if (tries > 0) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** The failure of a node: the message in plain words, and the details folded. */

import { AlertTriangle, ClipboardCopy } from "lucide-react";
import { goTo, titleOfPrompt } from "../state/editing/levels";
import { placeOf, useRuns } from "../state/outcomes/runs";
import { changedSince, inputsGiven, reportOf, tracebackOf } from "../state/runs/failure";
import { run } from "../state/runs/running";
import { useEditor } from "../state/session/editor";
import { useActive, useStudio } from "../state/session/studio";
import { notify, notifyError } from "../state/session/view";
import { t } from "../words/words";
import "./run.css";

/** The node's id in prompts. */
export function Failure({ node }: { node: string }) {
  const editor = useEditor();
  const tab = useActive((each) => each.id);
  const error = useRuns((state) => state.errors[placeOf(tab, node)]);
  const isFormer = useRuns((state) => placeOf(tab, node) in state.former);
  if (error === undefined) return null;
  const given = inputsGiven(error);
  const traceback = tracebackOf(error);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(await reportOf(error));
      notify(t("The report was copied to the clipboard."));
    } catch (failed) {
      notifyError(failed);
    }
  };
  return (
    <section className={isFormer ? "failure former" : "failure"} aria-label={t("Failure")}>
      {isFormer && <p className="quiet">{t("Failed in the last run, edited since")}</p>}
      <p className="plainly">
        <AlertTriangle size={13} aria-hidden />
        <span>{error.exception_message.trim()}</span>
      </p>
      {given.length > 0 && (
        <details>
          <summary>{t("Inputs it received")}</summary>
          <dl>
            {given.map(({ name, value }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      <Since />
      {traceback !== "" && (
        <details>
          <summary>
            {t("Traceback")} <span className="kind">{error.exception_type}</span>
          </summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard */}
          <pre tabIndex={0}>{traceback}</pre>
        </details>
      )}
      <footer>
        <button type="button" onClick={() => void run(editor, { keepSeeds: true, count: 1 })}>
          {t("Try again")}
        </button>
        <button type="button" onClick={() => void copy()}>
          <ClipboardCopy size={12} aria-hidden />
          {t("Copy a report")}
        </button>
      </footer>
    </section>
  );
}

/** The differences from the version of the document that last ran without an error. */
function Since() {
  const editor = useEditor();
  const tab = useActive((each) => each);
  const worked = useRuns((state) => state.lastSuccessful[tab.id]);
  const catalog = useStudio((state) => state.catalog);
  if (worked === undefined) return null;
  const changes = changedSince(worked, tab.workflow);
  return (
    <details>
      <summary>{t("Changes since the last completed run")}</summary>
      {changes.length === 0 ? (
        <p className="quiet">{t("Nothing in this workflow.")}</p>
      ) : (
        <ul>
          {changes.map(({ node, text }) => (
            <li key={`${node} ${text}`}>
              <button type="button" className="link" onClick={() => goTo(editor, node)}>
                {titleOfPrompt(tab, node, catalog) ?? `#${node}`}
              </button>{" "}
              {text}
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

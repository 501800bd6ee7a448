/** What keeps the open document from running, and what failed in it: a sentence each, with its node. */
import { goTo, titleOfPrompt } from "../state/levels";
import { sentencesOf, useRuns } from "../state/runs";
import { useActive, useStudio } from "../state/studio";

/** How many nodes of the open document have something wrong with them. */
export function useProblemCount(): number {
  const tab = useActive((each) => each.id);
  const report = useRuns((state) => state.problems[tab]);
  const failures = useRuns((state) => state.failures);
  const failed = Object.keys(failures).filter((place) => place.startsWith(`${tab}/`)).length;
  return Object.keys(report?.node_errors ?? {}).length + failed;
}

export function Problems() {
  const tab = useActive((each) => each);
  const report = useRuns((state) => state.problems[tab.id]);
  const failures = useRuns((state) => state.failures);
  const catalog = useStudio((state) => state.catalog);
  const lines = [
    ...Object.entries(report?.node_errors ?? {}).flatMap(([node, problems]) =>
      sentencesOf(problems).map((text) => ({ node, text })),
    ),
    ...Object.entries(failures).flatMap(([place, text]) =>
      place.startsWith(`${tab.id}/`) ? [{ node: place.slice(tab.id.length + 1), text }] : [],
    ),
  ];
  if (lines.length === 0) {
    const text = report?.error?.message ?? "All is well: this workflow can run.";
    return <p className="empty">{text}</p>;
  }
  return (
    <ul className="queue problem-list">
      {lines.map(({ node, text }) => (
        <li key={`${node} ${text}`}>
          <i className="state wrong" />
          <button type="button" className="link" onClick={() => goTo(node)}>
            {titleOfPrompt(tab, node, catalog) ?? `Node ${node}`}
          </button>
          <span className="reason">{text}</span>
        </li>
      ))}
    </ul>
  );
}

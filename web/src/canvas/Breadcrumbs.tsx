/** The path of open levels: the document, then each subgraph that was entered. */

import { ChevronRight } from "lucide-react";
import { definitionAt } from "../document/levels";
import { useEditor, useTab } from "../state/session/editor";
import { showLevel } from "../state/session/studio";
import { t } from "../words/words";
import "./subgraphs.css";

export function Breadcrumbs() {
  const editor = useEditor();
  const tab = useTab((each) => each);
  if (tab.level.length === 0) return null;
  const steps = tab.level.map((_, index) => {
    const path = tab.level.slice(0, index + 1);
    return { path, name: definitionAt(tab.workflow, path)?.name ?? "" };
  });
  return (
    <nav className="breadcrumbs" aria-label={t("Breadcrumb")}>
      <ol>
        <li>
          <button type="button" className="link" onClick={() => showLevel(editor, [])}>
            {tab.name}
          </button>
        </li>
        {steps.map(({ path, name }) => {
          const isHere = path.length === tab.level.length;
          return (
            <li key={path.join(":")}>
              <ChevronRight size={13} aria-hidden />
              {isHere ? (
                <span aria-current="page">{name}</span>
              ) : (
                <button type="button" className="link" onClick={() => showLevel(editor, path)}>
                  {name}
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

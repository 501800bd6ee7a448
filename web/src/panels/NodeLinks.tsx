/** The nodes that use something, each with a button that shows the node. */

import { goTo, titleOfPrompt } from "../state/editing/levels";
import { useEditor } from "../state/session/editor";
import { useActive, useStudio } from "../state/session/studio";
import { openSheet } from "../state/session/view";
import { t } from "../words/words";

const MOST_USERS = 4;

/** Given by their ids in prompts. */
export function NodeLinks({ nodes }: { nodes: readonly string[] }) {
  const editor = useEditor();
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const show = (id: string) => {
    openSheet(null);
    goTo(editor, id);
  };
  return (
    <span className="users">
      {nodes.slice(0, MOST_USERS).map((id) => {
        const title = titleOfPrompt(tab, id, catalog);
        return title === undefined ? null : (
          <button key={id} type="button" className="link" onClick={() => show(id)}>
            {title}
          </button>
        );
      })}
      {nodes.length > MOST_USERS && (
        <span>{t("and {{count}} more", { count: nodes.length - MOST_USERS })}</span>
      )}
    </span>
  );
}

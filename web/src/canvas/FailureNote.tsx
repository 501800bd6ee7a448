/**
 * The reason why a node failed in the last run, below the node; the inspector shows the details.
 */

import type { NodeRun } from "../state/outcomes/runs";
import { useEditor } from "../state/session/editor";
import { select } from "../state/session/studio";
import { useView } from "../state/session/view";
import { t } from "../words/words";
import "./failureNote.css";

interface Props {
  node: string;
  run: NodeRun | undefined;
  sentences: readonly string[];
  top: number;
}

export function FailureNote({ node, run, sentences, top }: Props) {
  const editor = useEditor();
  if (run?.state !== "error" || sentences.length === 0) return null;
  const open = () => {
    select(editor, [node]);
    useView.setState({ inspector: true });
  };
  return (
    <button
      type="button"
      className="failure-note nodrag"
      style={{ top }}
      title={t("Details of this failure")}
      onClick={open}
    >
      <span>{sentences.join(" ")}</span>
    </button>
  );
}

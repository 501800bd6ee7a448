/** Below a node that failed in the last run: why, in plain words; the rest is in the inspector. */
import { select } from "../state/studio";
import { useView } from "../state/view";
import { t } from "../words/words";
import "./failureNote.css";

interface Props {
  node: string;
  sentences: readonly string[];
  top: number;
}

export function FailureNote({ node, sentences, top }: Props) {
  if (sentences.length === 0) return null;
  const open = () => {
    select([node]);
    useView.setState({ inspector: true });
  };
  return (
    <button
      type="button"
      className="failure-note nodrag"
      style={{ top }}
      title={t("All about this failure")}
      onClick={open}
    >
      <span>{sentences.join(" ")}</span>
    </button>
  );
}

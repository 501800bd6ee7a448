/** The button in an instance's title that opens its subgraph. */

import { LogIn } from "lucide-react";
import { enter } from "../state/editing/levels";
import { isInstance } from "../state/outcomes/places";
import { useEditor, useTab } from "../state/session/editor";
import { t } from "../words/words";
import "./subgraphs.css";

export function EnterButton({ node }: { node: string }) {
  const editor = useEditor();
  const instance = useTab((tab) => isInstance(tab, node));
  if (!instance) return null;
  return (
    <button
      type="button"
      className="ghost enter nodrag"
      aria-label={t("Enter the subgraph")}
      title={t("Enter the subgraph")}
      onClick={() => enter(editor, node)}
    >
      <LogIn size={13} aria-hidden />
    </button>
  );
}

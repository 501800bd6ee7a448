/**
 * The banner for a file that has changed under its open document, with the ways to resolve it:
 * nothing is lost.
 */

import { TriangleAlert, X } from "lucide-react";
import {
  endConflict,
  openOtherVersion,
  overwriteOtherVersion,
  saveAsCopy,
  useConflicts,
} from "../state/files/saving";
import { useEditor } from "../state/session/editor";
import { useActive } from "../state/session/studio";
import { t } from "../words/words";
import "./conflict.css";

export function ConflictBar() {
  const editor = useEditor();
  const id = useActive((each) => each.id);
  const name = useActive((each) => each.name);
  const conflict = useConflicts(({ conflicts }) => conflicts[id]);
  if (conflict === undefined) return null;
  return (
    <div className="conflict" role="alert">
      <TriangleAlert size={16} aria-hidden />
      <p>
        {t("The file of {{name}} was changed by another window or program since it was opened.", {
          name,
        })}
      </p>
      <button type="button" onClick={() => void saveAsCopy(editor.tab)}>
        {t("Save both")}
      </button>
      <button
        type="button"
        title={t("The current file is kept as a version.")}
        onClick={() => void overwriteOtherVersion(editor.tab, conflict)}
      >
        {t("Overwrite the other version")}
      </button>
      <button type="button" onClick={() => openOtherVersion(editor.tab, conflict)}>
        {t("Open the other version")}
      </button>
      <button
        type="button"
        className="ghost"
        aria-label={t("Decide later")}
        title={t("Decide later")}
        onClick={() => endConflict(id)}
      >
        <X size={14} aria-hidden />
      </button>
    </div>
  );
}

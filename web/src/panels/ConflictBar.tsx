/** Says that the file of the open document is not what it was, and what can be done: nothing is lost. */
import { TriangleAlert, X } from "lucide-react";
import { endConflict, keepBoth, openTheirs, overwriteTheirs, useConflicts } from "../state/saving";
import { useActive } from "../state/studio";
import { t } from "../words/words";
import "./conflict.css";

export function ConflictBar() {
  const tab = useActive((each) => each);
  const conflict = useConflicts(({ conflicts }) => conflicts[tab.id]);
  if (conflict === undefined) return null;
  return (
    <div className="conflict" role="alert">
      <TriangleAlert size={16} aria-hidden />
      <p>
        {t("The file of {{name}} was changed by another window or program since it was opened.", {
          name: tab.name,
        })}
      </p>
      <button type="button" onClick={() => void keepBoth(tab)}>
        {t("Keep both")}
      </button>
      <button
        type="button"
        title={t("What is there now stays among the versions.")}
        onClick={() => void overwriteTheirs(tab, conflict)}
      >
        {t("Replace theirs")}
      </button>
      <button type="button" onClick={() => openTheirs(tab, conflict)}>
        {t("Open theirs")}
      </button>
      <button
        type="button"
        className="ghost"
        aria-label={t("Decide later")}
        title={t("Decide later")}
        onClick={() => endConflict(tab.id)}
      >
        <X size={14} aria-hidden />
      </button>
    </div>
  );
}

/** The rail at the side: four buttons. */
import { Boxes, CircleHelp, FolderOpen, ListTree, Plus } from "lucide-react";
import { runCommand } from "../state/commands";
import { withKey } from "../state/keymap";
import { useView } from "../state/view";
import { t } from "../words/words";

export function Rail() {
  const outline = useView((state) => state.outline);
  const workflows = useView((state) => state.workflows);
  const models = useView((state) => state.models);
  return (
    <nav className="rail" aria-label={t("Panels")}>
      <button
        type="button"
        aria-label={t("Add a node")}
        title={withKey(t("Add a node"), "graph.add")}
        onClick={() => runCommand("graph.add")}
      >
        <Plus size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Workflows")}
        aria-pressed={workflows}
        title={withKey(t("Workflows"), "file.open")}
        onClick={() => runCommand("file.open")}
      >
        <FolderOpen size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Models")}
        aria-pressed={models}
        title={withKey(t("Models"), "view.models")}
        onClick={() => runCommand("view.models")}
      >
        <Boxes size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Outline")}
        aria-pressed={outline}
        title={withKey(t("Outline"), "view.outline")}
        onClick={() => runCommand("view.outline")}
      >
        <ListTree size={18} aria-hidden />
      </button>
      <span className="space" />
      <button
        type="button"
        aria-label={t("Keys")}
        title={withKey(t("Keys"), "help.keys")}
        onClick={() => useView.setState({ shortcuts: true })}
      >
        <CircleHelp size={18} aria-hidden />
      </button>
    </nav>
  );
}

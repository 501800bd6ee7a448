/** Four doors, no more. */
import { Boxes, CircleHelp, FolderOpen, ListOrdered, Plus } from "lucide-react";
import { runCommand } from "../state/commands";
import { toggleDock, useView } from "../state/view";
import { t } from "../words/words";
import { screenMiddle } from "./Palette";

export function Rail() {
  const dock = useView((state) => state.dock);
  const workflows = useView((state) => state.workflows);
  const models = useView((state) => state.models);
  return (
    <nav className="rail" aria-label={t("Panels")}>
      <button
        type="button"
        aria-label={t("Add a node")}
        title={`${t("Add a node")}  Tab`}
        onClick={() => useView.setState({ palette: screenMiddle() })}
      >
        <Plus size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Workflows")}
        aria-pressed={workflows}
        title={`${t("Workflows")}  W`}
        onClick={() => runCommand("file.open")}
      >
        <FolderOpen size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Models")}
        aria-pressed={models}
        title={`${t("Models")}  M`}
        onClick={() => runCommand("view.models")}
      >
        <Boxes size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label={t("Queue")}
        aria-pressed={dock === "queue"}
        title={`${t("Queue")}  Q`}
        onClick={() => toggleDock("queue")}
      >
        <ListOrdered size={18} aria-hidden />
      </button>
      <span className="space" />
      <button
        type="button"
        aria-label={t("Keys")}
        title={`${t("Keys")}  ?`}
        onClick={() => useView.setState({ shortcuts: true })}
      >
        <CircleHelp size={18} aria-hidden />
      </button>
    </nav>
  );
}

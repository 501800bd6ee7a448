/** Four doors, no more. */
import { CircleHelp, FolderOpen, ListOrdered, Plus } from "lucide-react";
import { toggleDock, useView } from "../state/view";
import { screenMiddle } from "./Palette";

export function Rail() {
  const dock = useView((state) => state.dock);
  const workflows = useView((state) => state.workflows);
  return (
    <nav className="rail" aria-label="Panels">
      <button
        type="button"
        aria-label="Add a node"
        title="Add a node  Tab"
        onClick={() => useView.setState({ palette: screenMiddle() })}
      >
        <Plus size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label="Workflows"
        aria-pressed={workflows}
        title="Workflows  W"
        onClick={() => useView.setState({ workflows: !workflows })}
      >
        <FolderOpen size={18} aria-hidden />
      </button>
      <button
        type="button"
        aria-label="Queue"
        aria-pressed={dock === "queue"}
        title="Queue  Q"
        onClick={() => toggleDock("queue")}
      >
        <ListOrdered size={18} aria-hidden />
      </button>
      <span className="space" />
      <button
        type="button"
        aria-label="Keys"
        title="Keys  ?"
        onClick={() => useView.setState({ shortcuts: true })}
      >
        <CircleHelp size={18} aria-hidden />
      </button>
    </nav>
  );
}

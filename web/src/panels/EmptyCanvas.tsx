/** What an empty canvas offers: templates, a file, a first node. */
import { FileUp, FolderOpen, LayoutTemplate, Plus } from "lucide-react";
import { withKey } from "../state/commands/keymap";
import { TEMPLATES } from "../state/files/templates";
import { runCommand } from "../state/session/commandRegistry";
import { t } from "../words/words";
import { TemplateGrid } from "./TemplateGrid";
import "./emptyCanvas.css";

/** As many as fit in two rows of a small window. */
const OFFERED = 6;

export function EmptyCanvas() {
  return (
    <section className="empty-canvas" aria-label={t("Begin")}>
      <h2>{t("Begin with a template")}</h2>
      <TemplateGrid templates={TEMPLATES.slice(0, OFFERED)} />
      <div className="empty-actions">
        <Action command="file.templates" label={t("All templates")} icon={LayoutTemplate} />
        <Action command="file.openFile" label={t("Open a file")} icon={FileUp} />
        <Action command="file.open" label={t("Saved workflows")} icon={FolderOpen} />
        <Action command="graph.add" label={t("Add a node")} icon={Plus} />
      </div>
      <p>{t("Double-click to add a node, or drop a workflow or an image made with one here.")}</p>
    </section>
  );
}

interface ActionProps {
  command: string;
  label: string;
  icon: typeof Plus;
}

function Action({ command, label, icon: Icon }: ActionProps) {
  return (
    <button
      type="button"
      className="chip"
      title={withKey(label, command)}
      onClick={() => runCommand(command)}
    >
      <Icon size={14} aria-hidden />
      {label}
    </button>
  );
}

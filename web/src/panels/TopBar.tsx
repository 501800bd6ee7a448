/** The open documents, and what is done with them as a whole. */
import { Download, Moon, PanelRight, Redo2, Save, Search, Sun, Undo2 } from "lucide-react";
import { showApp } from "../state/app";
import { runCommand } from "../state/commands";
import { download } from "../state/files";
import { keyFor, withKey } from "../state/keymap";
import { useSetting } from "../state/settings";
import { redoEdit, undoEdit, useActive } from "../state/studio";
import { useView } from "../state/view";
import { said, t } from "../words/words";
import { Tabs } from "./Tabs";

export function TopBar() {
  const done = useActive((tab) => tab.log.done.at(-1)?.label);
  const undone = useActive((tab) => tab.log.undone.at(-1)?.label);
  const theme = useSetting("calotype.theme");
  const app = useView((state) => state.app);
  const inspector = useView((state) => state.inspector);
  return (
    <header className="top-bar">
      <span className="brand" aria-hidden>
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden>
          <circle cx="16" cy="16" r="11" fill="none" stroke="var(--accent)" strokeWidth="3" />
          <circle cx="16" cy="16" r="3.6" fill="var(--type-conditioning)" />
        </svg>
      </span>
      <Tabs />
      <div className="actions">
        <fieldset className="mode-switch" aria-label={t("Show as")}>
          <button type="button" aria-pressed={!app} onClick={() => showApp(false)}>
            {t("Graph")}
          </button>
          <button
            type="button"
            aria-pressed={app}
            title={keyFor("view.app")}
            onClick={() => showApp(true)}
          >
            {t("App")}
          </button>
        </fieldset>
        <button
          type="button"
          className="finder"
          title={withKey(t("Search all commands"), "view.commands")}
          onClick={() => runCommand("view.commands")}
        >
          <Search size={13} aria-hidden />
          {t("Search or run a command")}
          <kbd>{keyFor("view.commands")}</kbd>
        </button>
        <i className="rule" />
        <button
          type="button"
          className="ghost"
          aria-label={t("Undo")}
          title={
            done === undefined
              ? t("Nothing to undo")
              : withKey(t("Undo: {{what}}", { what: said(done) }), "edit.undo")
          }
          disabled={done === undefined}
          onClick={undoEdit}
        >
          <Undo2 size={15} aria-hidden />
        </button>
        <button
          type="button"
          className="ghost"
          aria-label={t("Redo")}
          title={
            undone === undefined
              ? t("Nothing to redo")
              : withKey(t("Redo: {{what}}", { what: said(undone) }), "edit.redo")
          }
          disabled={undone === undefined}
          onClick={redoEdit}
        >
          <Redo2 size={15} aria-hidden />
        </button>
        <i className="rule" />
        <button
          type="button"
          className="ghost"
          aria-label={t("Save")}
          title={withKey(t("Save"), "file.save")}
          onClick={() => runCommand("file.save")}
        >
          <Save size={15} aria-hidden />
        </button>
        <button
          type="button"
          className="ghost"
          aria-label={t("Download")}
          title={t("Download as a file")}
          onClick={download}
        >
          <Download size={15} aria-hidden />
        </button>
        <i className="rule" />
        <button
          type="button"
          className="ghost"
          aria-label={theme === "light" ? t("Dark theme") : t("Light theme")}
          title={theme === "light" ? t("Dark theme") : t("Light theme")}
          onClick={() => runCommand("view.theme")}
        >
          {theme === "light" ? <Moon size={15} aria-hidden /> : <Sun size={15} aria-hidden />}
        </button>
        <button
          type="button"
          className={inspector ? "ghost on" : "ghost"}
          aria-label={t("Inspector")}
          aria-pressed={inspector}
          title={withKey(t("Inspector"), "view.inspector")}
          onClick={() => useView.setState({ inspector: !inspector })}
        >
          <PanelRight size={15} aria-hidden />
        </button>
      </div>
    </header>
  );
}
